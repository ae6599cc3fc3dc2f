"""A plain socket program that does what a test tells it, a line at a time, so that the test decides when a byte is
on its way and when not. Each direction of the connection is one stream of octets that follow from their position.

    talker.py server ADDRESS PORT [--mptcp]     says "listening", then "connected LOCAL"
    talker.py client ADDRESS PORT [--mptcp]     says "connected LOCAL"

    send N      writes N more octets, beside the commands that follow
    read N      reads N more octets: "read TOTAL", or what went wrong
    written     waits until all that was to be sent is written: "written TOTAL", or the error
    end         waits for the peer's end of stream: "end", or the error ("ECONNRESET SECONDS")
    replaced B  the peer's stream has B in the place of the first needle (a middlebox; of one length)
    shutdown    no more octets from here
    abort       closes with a reset (SO_LINGER of 0): "closed"
    close       closes: "closed"
"""

import argparse
import errno
import queue
import random
import socket
import struct
import sys
import threading
import time

BLOCK = 1 << 16
IPPROTO_MPTCP = 262
#: In each block but the first few, for a middlebox to find.
NEEDLE = b"--needle--"
FIRST_NEEDLE = 4  # its block


class Pattern:
    """The octets of a stream; every block is another cut of the noise, so that swapped ones are seen."""

    def __init__(self, seed):
        self.noise = random.Random(seed).randbytes(2 * BLOCK)

    def at(self, position, size):
        number, begin = divmod(position, BLOCK)
        cut = number * 4099 % BLOCK
        block = bytearray(self.noise[cut:cut + BLOCK])
        if number >= FIRST_NEEDLE:
            block[1000:1000 + len(NEEDLE)] = NEEDLE
        return bytes(block[begin:begin + size])


def name_of(error):
    return errno.errorcode.get(error.errno, str(error))


class Talker:
    def __init__(self, connection, is_server):
        self.connection = connection
        self.ours, self.theirs = Pattern(int(is_server)), Pattern(int(not is_server))
        self.replaced = None
        self.sent = self.received = 0
        self.failure = None  # of the sending side
        self.orders = queue.Queue()
        threading.Thread(target=self.run_sender, daemon=True).start()

    def run_sender(self):
        while True:
            size = self.orders.get()
            try:
                while size > 0 and self.failure is None:
                    block = self.ours.at(self.sent, size)
                    self.connection.sendall(block)
                    self.sent += len(block)
                    size -= len(block)
            except OSError as error:
                self.failure = name_of(error)
            self.orders.task_done()

    def read(self, size):
        while size > 0:
            block = self.connection.recv(min(size, BLOCK))
            if not block:
                return f"end of stream after {self.received}"
            at = 0
            while at < len(block):
                expected = self.theirs.at(self.received, len(block) - at)
                if self.replaced and self.received // BLOCK == FIRST_NEEDLE:
                    whole = self.theirs.at(FIRST_NEEDLE * BLOCK, BLOCK).replace(*self.replaced)
                    expected = whole[self.received % BLOCK:][:len(expected)]
                if block[at:at + len(expected)] != expected:
                    return f"wrong octets at {self.received}"
                at += len(expected)
                self.received += len(expected)
            size -= len(block)
        return f"read {self.received}"

    def end(self):
        begin = time.monotonic()
        try:
            rest = self.connection.recv(BLOCK)
            return "end" if not rest else f"{len(rest)} octets"
        except OSError as error:
            return f"{name_of(error)} {time.monotonic() - begin:.3f}"

    def obey(self, words):
        if words[0] == "send":
            self.orders.put(int(words[1]))
            return None
        if words[0] == "read":
            try:
                return self.read(int(words[1]))
            except OSError as error:
                return f"{name_of(error)} after {self.received}"
        if words[0] == "written":
            self.orders.join()
            return self.failure or f"written {self.sent}"
        if words[0] == "end":
            return self.end()
        if words[0] == "replaced":
            self.replaced = NEEDLE, words[1].encode()
            return "replaced"
        if words[0] == "shutdown":
            self.orders.join()
            self.connection.shutdown(socket.SHUT_WR)
            return "shut down"
        if words[0] == "abort":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        return "closed"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["client", "server"])
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("--mptcp", action="store_true", help="ask the kernel for MPTCP (kernel side)")
    options = parser.parse_args()
    family = socket.AF_INET6 if ":" in options.address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM, IPPROTO_MPTCP if options.mptcp else 0)
    if options.role == "server":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind((options.address, options.port))
        sock.listen()
        print("listening", flush=True)
        connection, _ = sock.accept()
    else:
        sock.connect((options.address, options.port))
        connection = sock
    print("connected", *connection.getsockname()[:2], flush=True)
    talker = Talker(connection, options.role == "server")
    for line in sys.stdin:
        answer = talker.obey(line.split())
        if answer is not None:
            print(answer, flush=True)


if __name__ == "__main__":
    main()
