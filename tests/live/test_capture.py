"""`braid run --capture`: programs that no preloaded library reaches, with the kernel's MPTCP as the peer."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import tempfile

import pytest

import lab

PROGRAMS = os.path.join(lab.HERE, "programs")
PYTHON = "/usr/bin/python3"


@pytest.fixture(scope="module")
def place():
    with tempfile.TemporaryDirectory(prefix="braid-") as directory:
        os.chmod(directory, 0o755)
        yield directory


@pytest.fixture(scope="module")
def go_program(place):
    if not shutil.which("go"):
        pytest.fail("needs Go: scripts/setup installs it")
    target = os.path.join(place, "fetch")
    environment = {**os.environ, "CGO_ENABLED": "0", "GO111MODULE": "off", "GOCACHE": os.path.join(place, "go"),
                   "GOFLAGS": "-buildvcs=false", "HOME": place}
    lab.run("go", "build", "-o", target, os.path.join(PROGRAMS, "fetch.go"), env=environment)
    return target


@pytest.fixture
def net():
    with lab.Lab(2) as made:
        made.server.use_kernel_mptcp(signal=True)
        yield made


def ready(process):
    line = lab.next_line(process)
    assert line.strip() == b"ready", (line, process.communicate(timeout=5))
    return process


def start_echo(net, side=None, *words):
    return ready((side or net.server).start(PYTHON, os.path.join(PROGRAMS, "echo.py"), 5000, *words))


def captured(*options):
    return [os.path.abspath(lab.braid_binary()), "run", "--capture", *options, "--"]


def run_captured(side, *command, status=0, **options):
    options.setdefault("timeout", 60)
    done = subprocess.run(side.command(*captured(), *command), capture_output=True, text=True, **options)
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    return done.stdout


def python_captured(side, source, **options):
    return run_captured(side, PYTHON, "-c", "import errno, os, select, socket, struct, sys, threading\n" + source, **options)


class Daemon:
    """One for several runs, so that `braid ss` can be asked."""

    def __init__(self, side, place, *options):
        self.side, self.path = side, os.path.join(tempfile.mkdtemp(dir=place), "braid.sock")
        os.chmod(os.path.dirname(self.path), 0o755)
        self.process = side.start(lab.braid_binary(), "daemon", "--socket", self.path, *options)
        lab.wait_for(lambda: os.path.exists(self.path + ".capture") or self.process.poll() is not None, what="daemon")
        assert self.process.poll() is None, self.process.communicate()

    def start(self, *command, **options):
        return self.side.start("env", f"BRAID_SOCKET={self.path}", *command, **options)

    def ask(self, *words):
        return json.loads(self.side.run("env", f"BRAID_SOCKET={self.path}", lab.braid_binary(), *words, "--json"))


def with_two_subflows(daemon):
    def found():
        for connection in daemon.ask("ss")["connections"]:
            up = [s for s in connection["subflows"] if s["is_fully_established"] and s["data_received_bytes"] > 0]
            if len(up) >= 2:
                return connection
        return None
    return lab.wait_for(found, what="a connection whose two subflows carry data")


def serve_file(net, place, size=48 << 20):
    from test_programs import make_file, start_nginx
    path, digest = make_file(place, "file", size)
    start_nginx(net, place, lab.MPTCPIZE)
    return digest


@pytest.mark.parametrize("family", [4, 6])
def test_go_over_two_paths(place, go_program, family):
    with lab.Lab(2, rates=[60, 60]) as net:
        net.server.use_kernel_mptcp(signal=True)
        digest = serve_file(net, place, 16 << 20)
        daemon = Daemon(net.client, place)
        host = net.server.address(0, family)
        program = daemon.start(*captured(), go_program, "get", f"[{host}]:8080" if family == 6 else f"{host}:8080", "/file")
        connection = with_two_subflows(daemon)
        assert connection["multipath"] == "established"
        output = program.communicate(timeout=60)
        assert output[0].decode().strip() == digest, output


def test_static_busybox_over_two_paths(place):
    with lab.Lab(2, rates=[60, 60]) as net:
        net.server.use_kernel_mptcp(signal=True)
        digest = serve_file(net, place, 16 << 20)
        daemon = Daemon(net.client, place)
        copy = os.path.join(place, "copy")
        program = daemon.start(*captured(), "/bin/busybox", "wget", "-q", "-O", copy, f"http://{net.server.address()}:8080/file")
        with_two_subflows(daemon)
        output = program.communicate(timeout=60)
        assert program.returncode == 0, output
        with open(copy, "rb") as file:
            assert hashlib.sha256(file.read()).hexdigest() == digest


def test_connecting_fails_as_it_really_did(net):
    output = python_captured(net.client, f"""
for address in ("{net.server.address()}", "{net.server.address(0, 6)}", "203.0.113.9", "2001:db8:99::9", "127.0.0.1"):
    try:
        socket.create_connection((address, 9), 20)
        print("connected")
    except OSError as error:
        print(errno.errorcode[error.errno])
""")
    assert output.split() == ["ECONNREFUSED", "ECONNREFUSED", "ENETUNREACH", "ENETUNREACH", "ECONNREFUSED"]


def test_a_syn_is_answered_only_when_the_peer_has_answered(net):
    """A host that is silent: connect() is under way, neither refused nor up."""
    net.server.run("nft", "add table ip hole; add chain ip hole in { type filter hook input priority 0; } ; "
                          "add rule ip hole in tcp dport 9 drop")
    output = python_captured(net.client, f"""
s = socket.socket()
s.setblocking(False)
print(errno.errorcode[s.connect_ex(("{net.server.address()}", 9))])
print(select.select([], [s], [], 1.5)[1])
""")
    assert output.split() == ["EINPROGRESS", "[]"]


@pytest.mark.parametrize("family", [4, 6])
def test_half_close_reset_and_peer_address(net, family):
    start_echo(net)
    output = python_captured(net.client, f"""
there = ("{net.server.address(0, family)}", 5000)
s = socket.create_connection(there)
s.sendall(b"C" + bytes(3_000_000))
name = s.getpeername()[:2]
s.shutdown(socket.SHUT_WR)
print(s.recv(100).decode(), s.recv(1), name == there)
s = socket.create_connection(there)
s.sendall(b"R")
try:
    print(s.recv(1))
except OSError as error:
    print(errno.errorcode[error.errno])
""")
    assert output.split("\n")[:2] == ["3000000 b'' True", "ECONNRESET"]


def test_a_full_receiver_stops_the_sender_and_its_reset_arrives(net):
    server = start_echo(net)
    python_captured(net.client, f"""
s = socket.create_connection(("{net.server.address()}", 5000))
s.sendall(b"S")
peer_is_full = sys.stdin.readline()
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
""", stdin=PipeWhen(server, b"full"))
    assert PipeWhen.word == b"full"
    # What all the buffers between the two may hold, at the very most; a relay without bounds takes it all.
    assert PipeWhen.number < 64 << 20
    assert lab.next_line(server).split() == [b"error", b"104"]


class PipeWhen:
    """A standard input that gets a line when the other process has said something."""

    word, number = None, 0

    def __init__(self, process, word):
        import threading
        self.reader, self.writer = os.pipe()

        def wait():
            line = lab.next_line(process).split()
            PipeWhen.word, PipeWhen.number = line[0], int(line[1])
            os.write(self.writer, b"go\n")
            os.close(self.writer)
        threading.Thread(target=wait, daemon=True).start()

    def fileno(self):
        return self.reader


def test_what_was_written_arrives_after_the_program_has_ended(net):
    server = start_echo(net)
    python_captured(net.client, f"""
s = socket.create_connection(("{net.server.address()}", 5000))
s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_000_000)
s.sendall(b"P" + bytes(3_000_000))
os._exit(0)
""")
    assert lab.next_line(server) == b"3000000\n"


def test_a_hundred_connections_at_once(net):
    start_echo(net)
    output = python_captured(net.client, f"""
right = []
def one(i):
    block = bytes([i]) * (10_000 + i)
    s = socket.create_connection(("{net.server.address()}", 5000))
    s.sendall(b"E" + block)
    s.shutdown(socket.SHUT_WR)
    got = b""
    while part := s.recv(65536):
        got += part
    right.append(got == block)
threads = [threading.Thread(target=one, args=(i,)) for i in range(100)]
for t in threads: t.start()
for t in threads: t.join()
print(len(right), all(right))
""")
    assert output.split() == ["100", "True"]


def resolver_of_namespace(side, address):
    """As `ip netns exec` shows it to every program there."""
    directory = f"/etc/netns/{side.netns}"
    os.makedirs(directory)
    with open(f"{directory}/resolv.conf", "w") as file:
        file.write(f"nameserver {address}\n")
    return directory


@pytest.mark.parametrize("where", ["loopback", "network"])
def test_names_are_resolved(net, place, go_program, where):
    address = "127.0.0.53" if where == "loopback" else net.server.address()
    directory = resolver_of_namespace(net.client, address)
    try:
        side = net.client if where == "loopback" else net.server
        ready(side.start(PYTHON, os.path.join(PROGRAMS, "dns.py"), address))
        for command in ([go_program, "look", "server.example"], ["/bin/busybox", "nslookup", "server.example"]):
            output = run_captured(net.client, *command)
            assert "192.0.2.2" in output and "2001:db8:1::2" in output, output
        # And over TCP, by the gateway's address or the server's own.
        output = python_captured(net.client, r"""
server = open("/etc/resolv.conf").read().split()[1]
s = socket.create_connection((server, 53))
query = b"\1\2\1\0\0\1\0\0\0\0\0\0\1x\0\0\1\0\1"
s.sendall(len(query).to_bytes(2, "big") + query)
print(s.recv(1000)[-4:])
""")
        assert output.strip() == repr(b"\xc0\0\2\2")
        # The machine's own file is as it was.
        assert net.client.run("cat", "/etc/resolv.conf") == f"nameserver {address}\n"
    finally:
        shutil.rmtree(directory)


@pytest.mark.parametrize("family", [4, 6])
def test_udp_of_every_size_and_its_errors(net, family):
    ready(net.server.start(PYTHON, "-c", """
import socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.bind(("::", 7000))
print("ready", flush=True)
while True:
    data, peer = s.recvfrom(70000)
    s.sendto(data[::-1], peer)
"""))
    output = python_captured(net.client, f"""
family = socket.AF_INET if {family} == 4 else socket.AF_INET6
s = socket.socket(family, socket.SOCK_DGRAM)
s.settimeout(10)
s.connect(("{net.server.address(0, family)}", 7000))
for size in (0, 1, 1472, 1473, 9000, 60000):
    data = bytes(i * 7 & 255 for i in range(size))
    s.send(data)
    print(s.recv(70000) == data[::-1])
s.connect(("{net.server.address(0, family)}", 7001))
s.send(b"nobody is there")
try:
    print(s.recv(100))
except OSError as error:
    print(errno.errorcode[error.errno])
""")
    assert output.split() == ["True"] * 6 + ["ECONNREFUSED"]


@pytest.mark.parametrize("family", [4, 6])
def test_ping(net, family):
    output = python_captured(net.client, f"""
family, protocol, request = (socket.AF_INET, 1, 8) if {family} == 4 else (socket.AF_INET6, 58, 128)
s = socket.socket(family, socket.SOCK_RAW, protocol)
s.settimeout(10)
message = struct.pack("!BBHHH", request, 0, 0, 77, 5) + b"braided!"
if family == socket.AF_INET:
    words = struct.unpack("!8H", message)
    total = sum(words)
    total = (total & 0xffff) + (total >> 16)
    message = message[:2] + struct.pack("!H", ~total & 0xffff) + message[4:]
s.sendto(message, ("{net.server.address(0, family)}", 0))
while True:
    answer, peer = s.recvfrom(1000)
    if answer[-8:] == b"braided!" and answer[-16] in (0, 129):
        print(peer[0])
        break
""")
    assert output.strip() == net.server.address(0, family)


def test_the_program_is_as_it_would_be_without(net, place):
    run_captured(net.client, "sh", "-c", "exit 7", status=7)
    run_captured(net.client, "sh", "-c", "kill -9 $$", status=137)
    run_captured(net.client, "no-such-program", status=127)
    output = run_captured(net.client, "sh", "-c", "pwd; echo $COLOUR; id -u; cat; ip -o addr show dev lo", cwd=place,
                          input="through\n", env={**os.environ, "COLOUR": "blue"})
    assert output.startswith(f"{place}\nblue\n0\nthrough\n") and "127.0.0.1" in output
    # A service of the namespace's own on the loopback address is reached there.
    assert python_captured(net.client, """
listener = socket.create_server(("127.0.0.1", 0))
s = socket.create_connection(listener.getsockname())
print(listener.accept()[1] == s.getsockname())
""").strip() == "True"


def test_a_signal_reaches_the_program(net):
    program = net.client.start(*captured(), "sh", "-c", "trap 'echo caught; exit 5' TERM; echo up; while :; do sleep 0.05; done")
    assert lab.next_line(program) == b"up\n"
    # To `braid run`, which `ip netns exec` has become.
    os.kill(program.pid, signal.SIGTERM)
    assert program.communicate(timeout=20)[0] == b"caught\n"
    assert program.returncode == 5


def devices_and_rules(side):
    return side.run("ip", "-br", "link") + side.run("ip", "rule") + side.run("ip", "-6", "rule")


@pytest.mark.parametrize("killed", ["nobody", "run"])
def test_nothing_is_left(net, killed):
    before = devices_and_rules(net.client)
    program = net.client.start(*captured(), "sh", "-c", "echo up; read line", stdin=subprocess.PIPE)
    assert lab.next_line(program) == b"up\n"
    assert devices_and_rules(net.client) != before
    if killed == "run":
        os.kill(program.pid, signal.SIGKILL)
    program.stdin.close()  # the program ends, whoever is still there to see it
    program.wait(timeout=20)
    lab.wait_for(lambda: devices_and_rules(net.client) == before, what="everything as it was")
    lab.wait_for(lambda: not lab.run("ip", "netns", "pids", net.client.netns).split(), what="no process left")


def test_nothing_is_left_by_a_killed_daemon(net, place):
    before = devices_and_rules(net.client)
    daemon = Daemon(net.client, place)
    program = daemon.start(*captured(), "sh", "-c", "echo up; read line; ip -br link", stdin=subprocess.PIPE)
    assert lab.next_line(program) == b"up\n"
    daemon.process.kill()
    daemon.process.wait()
    # The device went with the daemon's descriptor; outside, the next Braid cleans up.
    assert program.communicate(b"\n", timeout=20)[0].startswith(b"lo ")
    net.client.run(lab.braid_binary(), "cleanup")
    assert devices_and_rules(net.client) == before


def test_an_unprivileged_user_is_served_by_a_daemon(net, place):
    start_echo(net)
    daemon = Daemon(net.client, place)
    os.chmod(daemon.path, 0o666)
    source = f"""
import os, socket
s = socket.create_connection(("{net.server.address()}", 5000))
s.sendall(b"Ehello")
s.shutdown(1)
print(s.recv(100), os.getuid(), os.getgid())
"""
    # A device file that everybody may open, as udev makes it.
    device = "mount -t tmpfs tmpfs /dev/net && mknod -m 666 /dev/net/tun c 10 200 && exec \"$@\""
    program = daemon.start("unshare", "-m", "sh", "-c", device, "sh", "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *captured(), PYTHON, "-c", source)
    output = program.communicate(timeout=30)
    assert output[0] == b"b'hello' 65534 65534\n", output


def test_preloading_names_the_capture_mode(net, go_program):
    for program in (go_program, "/bin/busybox"):
        done = subprocess.run(net.client.command(*lab.braid_run(), program), capture_output=True, text=True, timeout=30)
        assert "braid run --capture" in done.stderr
