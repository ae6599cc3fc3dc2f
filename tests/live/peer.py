"""A plain socket program, both roles, for the live tests: knows nothing of MPTCP. Sends N octets of noise and
receives the other side's, both at once, each followed by its SHA-256; says what it saw as one line of JSON.

    peer.py server ADDRESS PORT --bytes N
    peer.py client ADDRESS PORT --bytes N
"""

import argparse
import hashlib
import json
import os
import random
import socket
import sys
import threading
import time

BLOCK = 1 << 18


def send_all(connection, total, seed, result):
    digest, noise, sent = hashlib.sha256(), random.Random(seed).randbytes(BLOCK + 4096), 0
    stalls, last = 0.0, time.monotonic()
    while sent < total:
        at = sent // BLOCK % 4096  # every block another cut of the noise, so that swapped blocks are seen
        block = noise[at:at + min(BLOCK, total - sent)]
        digest.update(block)
        connection.sendall(block)
        now = time.monotonic()
        stalls, last = max(stalls, now - last), now
        sent += len(block)
    connection.sendall(digest.digest())
    connection.shutdown(socket.SHUT_WR)
    result["sent"] = sent
    result["longest_send_stall"] = round(stalls, 3)


def receive_all(connection, result):
    digest, tail, total = hashlib.sha256(), b"", 0
    begin = last = time.monotonic()
    longest = 0.0
    while True:
        block = connection.recv(BLOCK)
        now = time.monotonic()
        longest, last = max(longest, now - last), now
        if not block:
            break
        tail += block
        if len(tail) > 32:
            digest.update(tail[:-32])
            total += len(tail) - 32
            tail = tail[-32:]
    result["received"] = total
    result["ok"] = digest.digest() == tail
    result["longest_stall"] = round(longest, 3)
    result["seconds"] = round(last - begin, 3)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("role", choices=["client", "server"])
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("--bytes", type=int, default=64 << 20)
    parser.add_argument("--mptcp", action="store_true", help="ask the kernel for MPTCP (kernel side)")
    options = parser.parse_args()
    family = socket.AF_INET6 if ":" in options.address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM, 262 if options.mptcp else 0)
    if options.role == "server":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Any address: the kernel takes joins only where a listener listens.
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        sock.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", options.port))
        sock.listen()
        print("listening", flush=True)
        connection, _ = sock.accept()
    else:
        sock.connect((options.address, options.port))
        connection = sock
    result = {"local": connection.getsockname()[:2], "remote": connection.getpeername()[:2]}
    sender = threading.Thread(target=send_all, args=(connection, options.bytes, os.getpid(), result))
    # Who has nothing to send keeps its direction open meanwhile: the kernel takes no joins once it is closed.
    if options.bytes > 0:
        sender.start()
    receive_all(connection, result)
    if options.bytes == 0:
        sender.start()
    sender.join()
    connection.close()
    print(json.dumps(result), flush=True)
    sys.exit(0 if result["ok"] else 1)


if __name__ == "__main__":
    main()
