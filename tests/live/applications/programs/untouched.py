"""What is no TCP goes to the kernel as it would without Braid: each is tried.

    untouched.py serve ADDRESS UDP_PORT DNS_PORT   answers UDP datagrams, and DNS over UDP and TCP
    untouched.py udp|unix|netlink|dns ...          tries it; prints "right"
"""

import array
import os
import select
import socket
import struct
import sys
import tempfile
import threading

ANSWER = "203.0.113.99"
#: A name whose answer over UDP is cut, so that the resolver comes again over TCP.
LONG_NAME = "long.example.org"


def dns_answer(query, is_tcp):
    end = query.index(b"\0", 12) + 5
    labels, at = [], 12
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode())
        at += query[at] + 1
    kind = struct.unpack("!H", query[end - 4:end - 2])[0]
    is_cut = ".".join(labels) == LONG_NAME and not is_tcp
    records = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + socket.inet_aton(ANSWER) if kind == 1 and not is_cut else b""
    flags = 0x8180 | (0x0200 if is_cut else 0)
    return query[:2] + struct.pack("!HHHHH", flags, 1, 1 if records else 0, 0, 0) + query[12:end] + records


def serve_dns_over_tcp(address, port):
    listener = socket.create_server((address, port))
    while True:
        connection, _ = listener.accept()
        with connection:
            # Several questions may come over one connection.
            while head := connection.recv(2, socket.MSG_WAITALL):
                query = connection.recv(struct.unpack("!H", head)[0], socket.MSG_WAITALL)
                answer = dns_answer(query, True)
                connection.sendall(struct.pack("!H", len(answer)) + answer)


def serve(address, udp_port, dns_port):
    threading.Thread(target=serve_dns_over_tcp, args=(address, int(dns_port)), daemon=True).start()
    echo, dns = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
    echo.bind((address, int(udp_port)))
    dns.bind((address, int(dns_port)))
    while True:
        for ready in select.select([echo, dns], [], [])[0]:
            data, peer = ready.recvfrom(65535)
            ready.sendto(data if ready is echo else dns_answer(data, False), peer)


def udp(address, port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(10)
        assert os.readlink(f"/proc/self/fd/{sock.fileno()}").startswith("socket:")
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE) == socket.SOCK_DGRAM
        for size in (0, 1, 1400, 30_000):
            data = os.urandom(size)
            sock.sendto(data, (address, int(port)))
            assert sock.recvfrom(65535) == (data, (address, int(port))), size
        sock.connect((address, int(port)))
        sock.send(b"connected")
        assert sock.recv(100) == b"connected" and sock.getpeername() == (address, int(port))


def unix():
    with tempfile.TemporaryDirectory() as place:
        path = os.path.join(place, "socket")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        client = socket.socket(socket.AF_UNIX)
        client.connect(path)
        server, _ = listener.accept()
        data = os.urandom(100_000)
        sender = threading.Thread(target=client.sendall, args=(data,))
        sender.start()
        assert server.recv(len(data), socket.MSG_WAITALL) == data
        sender.join()
        assert client.getpeername() == path and client.getsockname() == ""
        credentials = struct.unpack("3i", server.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        assert credentials == (os.getpid(), os.getuid(), os.getgid()), credentials
        reader, writer = os.pipe()
        client.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [writer]))])
        _, control, _, _ = server.recvmsg(1, 100)
        passed = array.array("i", control[0][2])[0]
        os.write(passed, b"passed on")
        assert os.read(reader, 100) == b"passed on"
        client.close()
        assert server.recv(1) == b""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    one.send(b"first")
    one.send(b"second")
    assert (other.recv(100), other.recv(100)) == (b"first", b"second")


def netlink(address):
    """RTM_GETADDR: the kernel's addresses have the one that is ours."""
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    sock.bind((0, 0))
    assert sock.getsockname()[0] != 0
    sock.send(struct.pack("=IHHIIBxxxi", 24, 22, 0x301, 1, 0, socket.AF_INET, 0))
    seen = b""
    while not _is_done(seen):
        seen += sock.recv(65536)
    assert socket.inet_aton(address) in seen


def _is_done(messages):
    at = 0
    while at + 16 <= len(messages):
        size, kind = struct.unpack_from("=IH", messages, at)
        if kind == 3:
            return True
        at += (size + 3) & ~3
    return False


def dns():
    assert socket.gethostbyname("short.example.org") == ANSWER
    found = {entry[4][0] for entry in socket.getaddrinfo(LONG_NAME, 80, socket.AF_INET, socket.SOCK_STREAM)}
    assert found == {ANSWER}, found


if __name__ == "__main__":
    role, *words = sys.argv[1:]
    if role == "serve":
        serve(*words)
    {"udp": udp, "unix": unix, "netlink": netlink, "dns": dns}[role](*words)
    print("right")
