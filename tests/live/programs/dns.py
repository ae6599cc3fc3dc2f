"""A name server for the live tests, UDP and TCP: every name is 192.0.2.2 and 2001:db8:1::2.

    dns.py ADDRESS
"""

import socket
import socketserver
import sys
import threading


def answer(query):
    end = query.index(b"\0", 12) + 5
    kind = int.from_bytes(query[end - 4:end - 2], "big")
    data = {1: socket.inet_aton("192.0.2.2"), 28: socket.inet_pton(socket.AF_INET6, "2001:db8:1::2")}.get(kind)
    header = query[:2] + b"\x81\x80\0\1" + (b"\0\1" if data else b"\0\0") + b"\0\0\0\0"
    record = b"\xc0\x0c" + kind.to_bytes(2, "big") + b"\0\1\0\0\0\x3c" + len(data).to_bytes(2, "big") + data if data else b""
    return header + query[12:end] + record


class Udp(socketserver.BaseRequestHandler):
    def handle(self):
        self.request[1].sendto(answer(self.request[0]), self.client_address)


class Tcp(socketserver.StreamRequestHandler):
    def handle(self):
        reply = answer(self.rfile.read(int.from_bytes(self.rfile.read(2), "big")))
        self.wfile.write(len(reply).to_bytes(2, "big") + reply)


socketserver.ThreadingTCPServer.allow_reuse_address = True
servers = [socketserver.ThreadingUDPServer((sys.argv[1], 53), Udp), socketserver.ThreadingTCPServer((sys.argv[1], 53), Tcp)]
for server in servers:
    threading.Thread(target=server.serve_forever).start()
print("ready", flush=True)
