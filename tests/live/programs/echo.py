"""A TCP server for the live tests, with the kernel's MPTCP unless told otherwise: one thread a connection. The
first octet says what it does: P counts and prints; E sends everything back and closes when the client has finished; R resets after
one octet; C counts what comes to the client's end of stream, and says the number; S sends without end, to see
back-pressure, and says to its standard output what became of that.

    echo.py PORT [tcp]
"""

import socket
import struct
import sys
import threading

PROTOCOL = 0 if "tcp" in sys.argv else 262


def serve(connection):
    order = connection.recv(1)
    if order == b"R":
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    elif order == b"E":
        while block := connection.recv(1 << 16):
            connection.sendall(block)
    elif order == b"C":
        count = 0
        while block := connection.recv(1 << 16):
            count += len(block)
        connection.sendall(str(count).encode())
    elif order == b"P":
        count = 0
        while block := connection.recv(1 << 16):
            count += len(block)
        print(count, flush=True)
    elif order == b"S":
        sent = 0
        connection.settimeout(1)
        try:
            while True:
                sent += connection.send(bytes(1 << 16))
        except socket.timeout:
            print("full", sent, flush=True)
            connection.settimeout(30)
            try:
                connection.recv(1)
                print("closed", flush=True)
            except OSError as error:
                print("error", error.errno, flush=True)
    connection.close()


listeners = []
for family, any_address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
    listener = socket.socket(family, socket.SOCK_STREAM, PROTOCOL)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    listener.bind((any_address, int(sys.argv[1])))
    listener.listen(1024)
    listeners.append(listener)


def accept_all(listener):
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


for listener in listeners:
    threading.Thread(target=accept_all, args=(listener,)).start()
print("ready", flush=True)
