"""A program that wants TCP Fast Open, both roles, for the live tests: knows nothing of MPTCP. One request and its answer a connection;
says of each what it saw as one line of JSON.

    fast_opener.py server ADDRESS PORT CONNECTIONS
    fast_opener.py client ADDRESS PORT CONNECTIONS [--connect]     one after the other; --connect: by TCP_FASTOPEN_CONNECT
"""

import argparse
import json
import socket
import struct
import sys
import time

REQUEST, ANSWER = b"q" * 500, b"a" * 3000
TCP_FASTOPEN_CONNECT = 30
TCP_ESTABLISHED = 1
TCPI_OPT_SYN_DATA = 32
OPTIONS_AT = 5  # of tcp_info.tcpi_options


def had_syn_data(connection):
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    return bool(struct.unpack_from("B", info, OPTIONS_AT)[0] & TCPI_OPT_SYN_DATA)


def wait_until_established(connection):
    """The kernel's MPTCP does not manage answers before the third ACK, in either role (docs/linux-peer.md)."""
    while connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)[0] != TCP_ESTABLISHED:
        time.sleep(0.001)


def read_all(connection, size):
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        if not more:
            break
        data += more
    return data


def say(**what):
    print(json.dumps(what), flush=True)


def serve(sock, options):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 16)
    sock.bind((options.address, options.port))
    sock.listen()
    say(listening=True)
    for _ in range(options.connections):
        connection, _ = sock.accept()
        with connection:
            if options.established:
                wait_until_established(connection)
            request = read_all(connection, len(REQUEST))
            connection.sendall(ANSWER)
            more = read_all(connection, len(REQUEST))
            say(ok=request == REQUEST and more == REQUEST, syn_data=had_syn_data(connection))
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1)


def ask(options, family, protocol):
    with socket.socket(family, socket.SOCK_STREAM, protocol) as sock:
        if options.connect:
            sock.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
            sock.connect((options.address, options.port))
            sock.sendall(REQUEST)
        else:
            sent = sock.sendto(REQUEST, socket.MSG_FASTOPEN, (options.address, options.port))
            sock.sendall(REQUEST[sent:])
        answer = read_all(sock, len(ANSWER))
        sock.sendall(REQUEST)  # after the SYN's data: mapped
        say(ok=answer == ANSWER, syn_data=had_syn_data(sock))
        sock.shutdown(socket.SHUT_WR)
        sock.recv(1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["client", "server"])
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("connections", type=int)
    parser.add_argument("--connect", action="store_true")
    parser.add_argument("--mptcp", action="store_true", help="ask the kernel for MPTCP (kernel side)")
    parser.add_argument("--established", action="store_true", help="server: answer after the third ACK")
    options = parser.parse_args()
    family = socket.AF_INET6 if ":" in options.address else socket.AF_INET
    protocol = 262 if options.mptcp else 0
    if options.role == "server":
        with socket.socket(family, socket.SOCK_STREAM, protocol) as sock:
            serve(sock, options)
    else:
        for _ in range(options.connections):
            ask(options, family, protocol)
    return 0


if __name__ == "__main__":
    sys.exit(main())
