"""The other end of socket_semantics: does on its side of a connection what the program under test asks for.

    puppet.py ADDRESS PORT

Each control connection gets a listener of its own; the first line says its port. Then a line is a command, each answered by one:

    accept           the next connection to the listener is the one that the commands are about
    connect PORT     a connection to the program instead; "connect6" by IPv6
    send N           N octets, each its position modulo 251; "sendlater N" beside the commands that follow
    recv N           so many, checked: "N", or what went wrong
    end              waits for the end of the stream: "end", or the error's name
    shutdown, reset, close
    drop             from now on nothing of this connection comes through, silently
"""

import errno
import os
import socket
import struct
import subprocess
import sys
import threading

IPPROTO_MPTCP = 262


def listener_on(address, port):
    """MPTCP, so that who speaks it gets it; plain TCP is served as well."""
    listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, IPPROTO_MPTCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    listener.bind(("::", port))
    listener.listen(64)
    return listener


def pattern(start, size):
    cycle = bytes(range(251))
    begin = start % 251
    return (cycle * ((begin + size) // 251 + 1))[begin:begin + size]


class Puppet:
    def __init__(self, control, address6):
        self.control, self.address6 = control, address6
        self.listener = listener_on("::", 0)
        self.connection = None
        self.sent = self.received = 0

    def run(self):
        lines = self.control.makefile("rw", newline="\n")
        lines.write(f"{self.listener.getsockname()[1]}\n")
        lines.flush()
        for line in lines:
            words = line.split()
            try:
                answer = getattr(self, words[0])(*map(int, words[1:])) or "ok"
            except OSError as error:
                answer = errno.errorcode.get(error.errno, str(error))
            lines.write(answer + "\n")
            lines.flush()

    def start(self, connection):
        self.connection = connection
        self.sent = self.received = 0

    def accept(self):
        self.start(self.listener.accept()[0])

    def connect(self, port):
        self.start(self.connected(socket.AF_INET, (self.control.getpeername()[0].removeprefix("::ffff:"), port)))

    def connect6(self, port):
        self.start(self.connected(socket.AF_INET6, (self.address6, port)))

    def connected(self, family, address):
        connection = socket.socket(family, socket.SOCK_STREAM, IPPROTO_MPTCP)
        connection.settimeout(10)
        connection.connect(address)
        return connection

    def send(self, size):
        data = pattern(self.sent, size)
        self.sent += size
        self.connection.settimeout(20)
        self.connection.sendall(data)

    def sendlater(self, size):
        connection, data = self.connection, pattern(self.sent, size)
        self.sent += size
        connection.settimeout(None)
        threading.Thread(target=connection.sendall, args=(data,), daemon=True).start()

    def recv(self, size):
        self.connection.settimeout(20)
        left = size
        while left > 0:
            block = self.connection.recv(min(left, 1 << 16))
            if not block:
                return f"end after {size - left}"
            if block != pattern(self.received, len(block)):
                return f"wrong octets at {self.received}"
            self.received += len(block)
            left -= len(block)
        return str(size)

    def end(self):
        self.connection.settimeout(20)
        rest = self.connection.recv(1)
        return "octets" if rest else "end"

    def shutdown(self):
        self.connection.shutdown(socket.SHUT_WR)

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def close(self):
        self.connection.close()

    def drop(self):
        """By the port that the listener has: all subflows of connections to it."""
        port = self.listener.getsockname()[1]
        for direction, side in (("input", "dport"), ("output", "sport")):
            rule = f"add rule inet semantics {direction} tcp {side} {port} drop"
            subprocess.run(["nft", rule], check=True)


def main():
    address6, port = sys.argv[1], int(sys.argv[2])
    # Nobody answers at the next port: what a connect() finds behind a silent firewall.
    nft = ["add table inet semantics"]
    nft += [f"add chain inet semantics {hook} {{ type filter hook {hook} priority 0; }}" for hook in ("input", "output")]
    nft += [f"add rule inet semantics input tcp dport {port + 1} drop"]
    subprocess.run(["nft", ";".join(nft)], check=True)
    listener = listener_on("::", port)
    print("listening", os.getpid(), flush=True)
    while True:
        control, _ = listener.accept()
        threading.Thread(target=Puppet(control, address6).run, daemon=True).start()


if __name__ == "__main__":
    main()
