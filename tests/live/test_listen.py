"""`braid daemon --listen`: Multipath TCP in front of servers that do not know it; clients are the kernel's."""

import hashlib
import json
import os
import socket
import struct
import subprocess
import tempfile

import pytest

import lab

PROGRAMS = os.path.join(lab.HERE, "programs")
PYTHON = "/usr/bin/python3"


@pytest.fixture
def place():
    with tempfile.TemporaryDirectory(prefix="braid-") as directory:
        os.chmod(directory, 0o755)
        yield directory


@pytest.fixture
def net():
    with lab.Lab(2) as made:
        made.client.use_kernel_mptcp()
        yield made


class Daemon:
    def __init__(self, side, place, *options, check=True, name="braid.sock"):
        self.side, self.path = side, os.path.join(place, name)
        self.process = side.start(lab.braid_binary(), "daemon", "--socket", self.path, *options)
        if check:
            lab.wait_for(lambda: self.answers() or self.process.poll() is not None, what="daemon")
            assert self.process.poll() is None, self.process.communicate()

    def answers(self):
        probe = self.side.command("env", f"BRAID_SOCKET={self.path}", lab.braid_binary(), "ss", "--json")
        return subprocess.run(probe, capture_output=True).returncode == 0

    def ask(self, *words):
        return json.loads(self.side.run("env", f"BRAID_SOCKET={self.path}", lab.braid_binary(), *words, "--json"))


def ask(net, words, source):
    return net.client.run(*words, PYTHON, "-c", source, timeout=60)


def start_echo(side, *words):
    server = side.start(PYTHON, os.path.join(PROGRAMS, "echo.py"), 5000, "tcp", *words)
    assert lab.next_line(server) == b"ready\n"
    return server


@pytest.mark.parametrize("family", [4, 6])
def test_a_static_web_server_is_served_over_two_paths(place, family):
    with lab.Lab(2, rates=[60, 60]) as net:
        net.client.use_kernel_mptcp(subflow=True)
        data = os.urandom(16 << 20)
        with open(os.path.join(place, "file"), "wb") as file:
            file.write(data)
        web = net.server.start("/bin/busybox", "httpd", "-f", "-p", "127.0.0.1:8080", "-h", place)
        lab.wait_for(lambda: ":8080 " in net.server.run("ss", "-Hltn") or web.poll() is not None, what="httpd")
        daemon = Daemon(net.server, place, "--listen", "80=127.0.0.1:8080")
        host = net.server.address(0, family)
        copy = os.path.join(place, "copy")
        client = net.client.start(*lab.MPTCPIZE, "curl", "-sSf", "-o", copy, f"http://{f'[{host}]' if family == 6 else host}/file")

        def has_two():
            return any(len([s for s in c["subflows"] if s["is_fully_established"] and s["data_sent_bytes"] > 0]) >= 2
                       for c in daemon.ask("ss")["connections"])
        lab.wait_for(has_two, what="two subflows that carry data")
        output = client.communicate(timeout=60)
        assert client.returncode == 0, output
        with open(copy, "rb") as file:
            assert hashlib.sha256(file.read()).digest() == hashlib.sha256(data).digest()


@pytest.mark.parametrize("words", [lab.MPTCPIZE, []], ids=["mptcp", "tcp"])
def test_both_directions_half_close_and_reset(net, place, words):
    start_echo(net.server)
    Daemon(net.server, place, "--listen", "7=5000")
    there = f'("{net.server.address(1)}", 7)'
    output = ask(net, words, f"""
import errno, os, socket, threading
data = os.urandom(8 << 20)
s = socket.create_connection({there})
def send():
    s.sendall(b"E" + data)
    s.shutdown(socket.SHUT_WR)
threading.Thread(target=send).start()
got = b""
while part := s.recv(1 << 16):
    got += part
print(got == data)
s = socket.create_connection({there})
s.sendall(b"R")
try:
    print(s.recv(1))
except OSError as error:
    print(errno.errorcode[error.errno])
""")
    assert output.split() == ["True", "ECONNRESET"]


def test_a_reset_of_the_client_and_back_pressure_reach_the_service(net, place):
    server = start_echo(net.server)
    Daemon(net.server, place, "--listen", "7=127.0.0.1:5000")
    client = net.client.start(PYTHON, "-c", f"""
import socket, struct, sys
s = socket.create_connection(("{net.server.address()}", 7))
s.sendall(b"S")
sys.stdin.readline()
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
""", stdin=subprocess.PIPE)
    word, number = lab.next_line(server).split()
    assert word == b"full" and int(number) < 64 << 20
    client.communicate(b"go\n", timeout=20)
    assert lab.next_line(server).split() == [b"error", b"104"]


@pytest.mark.parametrize("family", [4, 6])
def test_the_proxy_protocol_names_the_client(net, place, family):
    listener = net.server.start(PYTHON, "-c", """
import socket
l = socket.create_server(("127.0.0.1", 5000))
print("ready", flush=True)
s = l.accept()[0]
print(s.recv(1000, socket.MSG_WAITALL).hex())
""")
    assert lab.next_line(listener) == b"ready\n"
    Daemon(net.server, place, "--listen", "7=5000,proxy")
    here, there = net.client.address(0, family), net.server.address(0, family)
    port = ask(net, lab.MPTCPIZE, f"""
import socket
s = socket.create_connection(("{there}", 7))
s.sendall(b"hello")
print(s.getsockname()[1])
""").strip()
    kind, number = (socket.AF_INET, b"\x11\0\x0c") if family == 4 else (socket.AF_INET6, b"\x21\0\x24")
    header = b"\r\n\r\n\0\r\nQUIT\n\x21" + number + socket.inet_pton(kind, here) + socket.inet_pton(kind, there)
    header += struct.pack("!HH", int(port), 7)
    assert bytes.fromhex(listener.communicate(timeout=20)[0].decode()) == header + b"hello"


def test_a_service_that_is_down_and_a_port_that_is_taken_are_said(net, place):
    daemon = Daemon(net.server, place, "--listen", "7=127.0.0.1:5000")
    output = ask(net, [], f"""
import socket
try:
    print(socket.create_connection(("{net.server.address()}", 7)).recv(1))
except ConnectionResetError:
    print("reset")
""")
    assert output == "reset\n"
    # It needs no restart when the service comes.
    start_echo(net.server)
    assert ask(net, [], f"""
import socket
s = socket.create_connection(("{net.server.address()}", 7))
s.sendall(b"Eback")
s.shutdown(1)
print(s.recv(9))
""") == "b'back'\n"
    taken = Daemon(net.server, place, "--listen", "5000=6000", check=False, name="second.sock")
    said = taken.process.communicate(timeout=20)[1].decode()
    assert taken.process.returncode == 1
    assert "Cannot listen on port 5000" in said and "another port" in said
    daemon.process.terminate()
    assert "cannot be reached: Connection refused" in daemon.process.communicate(timeout=20)[1].decode()


def test_the_limit_leaves_others_waiting(net, place):
    start_echo(net.server)
    config = os.path.join(place, "braid.toml")
    with open(config, "w") as file:
        file.write('[[listen]]\nport = 7\nto = "127.0.0.1:5000"\nmax_connections = 1\n')
    Daemon(net.server, place, "--config", config)
    output = ask(net, [], f"""
import socket
there = ("{net.server.address()}", 7)
first, second = socket.create_connection(there), socket.create_connection(there)
first.sendall(b"Eone")
second.sendall(b"Etwo")
second.shutdown(1)
print(first.recv(9))
second.settimeout(0.5)
try:
    print(second.recv(9))
except TimeoutError:
    print("waits")
first.close()
second.settimeout(20)
print(second.recv(9))
""")
    assert output.split() == ["b'one'", "waits", "b'two'"]


def test_wrong_words_are_explained(net, place):
    for word, what in (("x", "no port to listen on"), ("80=service:80", "no service after"), ("80,prx", "no such option")):
        done = subprocess.run([lab.braid_binary(), "daemon", "--listen", word], capture_output=True, text=True)
        assert done.returncode == 2 and what in done.stderr, done
