"""What goes wrong says so: to the program by the errno that the kernel would give, to people in words."""

import os
import re
import signal
import subprocess
import time

import lab

PYTHON = "/usr/bin/python3"


def attempt(side, code, words=None, **options):
    """Runs a few lines of Python under Braid; (exit code, output, error output)."""
    done = subprocess.run(side.command(*(lab.braid_run() if words is None else words), PYTHON, "-c", code),
                          capture_output=True, text=True, timeout=60, **options)
    return done.returncode, done.stdout, done.stderr


CONNECT = """
import errno, socket, sys
s = socket.socket(socket.AF_INET6 if ':' in '{host}' else socket.AF_INET)
s.settimeout(30)
try:
    s.connect(('{host}', {port}))
    print('connected')
except OSError as error:
    print(errno.errorcode.get(error.errno, error))
"""


def test_refused_and_unreachable_give_the_kernels_errno():
    with lab.Lab(1) as net:
        for host in (net.server.address(0, 4), net.server.address(0, 6)):
            code, out, err = attempt(net.client, CONNECT.format(host=host, port=9))
            assert out == "ECONNREFUSED\n", (out, err)
        # No route at all, in a namespace without a default route.
        code, out, err = attempt(net.client, CONNECT.format(host="203.0.113.7", port=80))
        assert out == "ENETUNREACH\n", (out, err)
        # On the link, but nobody there: the neighbour does not answer.
        code, out, err = attempt(net.client, CONNECT.format(host="192.0.2.77", port=80))
        assert out == "EHOSTUNREACH\n", (out, err)


def test_address_in_use():
    code = """
import errno, socket
a = socket.socket(); a.bind(('0.0.0.0', 8080)); a.listen()
b = socket.socket()
try:
    b.bind(('0.0.0.0', 8080)); b.listen()
    print('no error')
except OSError as error:
    print(errno.errorcode[error.errno])
"""
    with lab.Lab(1) as net:
        assert attempt(net.client, code)[1] == "EADDRINUSE\n"


def test_no_privilege_is_explained():
    with lab.Lab(1) as net:
        done = subprocess.run(net.client.command("setpriv", "--bounding-set=-net_admin", "--inh-caps=-net_admin",
                                                 *lab.braid_run(), "true"), capture_output=True, text=True, timeout=30)
        assert done.returncode == 125, done
        assert "CAP_NET_ADMIN" in done.stderr and "root" in done.stderr, done.stderr


def test_no_tun_is_explained():
    with lab.Lab(1) as net:
        script = "mount --bind /dev/null /dev/net/tun && exec \"$@\""
        done = subprocess.run(net.client.command("unshare", "-m", "sh", "-c", script, "sh", *lab.braid_run(), "true"),
                              capture_output=True, text=True, timeout=30)
        assert done.returncode == 125, done
        assert "/dev/net/tun" in done.stderr, done.stderr


def test_malformed_configuration_names_the_place(tmp_path):
    cases = [("[limits]\nsubflows = \"many\"\n", r":2:\d+: .*subflows.*(integer|number)"),
             ("[connection]\nshceduler = \"lowest-rtt\"\n", r":2:\d+: .*shceduler.*scheduler"),
             ("[connection]\nscheduler = \"fastest\"\n", r":2:\d+: .*fastest.*lowest-rtt"),
             ("[limits\n", r":1:\d+: ")]
    for text, expected in cases:
        path = tmp_path / "braid.toml"
        path.write_text(text)
        done = subprocess.run([lab.braid_binary(), "run", "--config", str(path), "--", "true"],
                              capture_output=True, text=True, timeout=30)
        assert done.returncode == 125, done
        assert re.search(re.escape(str(path)) + expected, done.stderr), done.stderr


def test_unknown_program_and_exit_codes():
    with lab.Lab(1) as net:
        def code_of(*command):
            return subprocess.run(net.client.command(*lab.braid_run(), *command), capture_output=True, timeout=30).returncode

        assert code_of("/nonexistent/program") == 127
        assert code_of("/etc/passwd") == 126
        assert code_of("sh", "-c", "exit 7") == 7
        assert code_of("sh", "-c", "kill -TERM $$") == 128 + signal.SIGTERM


def test_killed_daemon_is_a_reset_to_its_programs():
    reader = """
import socket
s = socket.create_connection(('{host}', 8080))
print('connected', flush=True)
total = 0
try:
    while block := s.recv(65536):
        total += len(block)
    print('end of stream')
except ConnectionResetError:
    print('reset')
"""
    writer = reader.replace("while block := s.recv(65536):", "while True:").replace(
        "total += len(block)", "s.sendall(bytes(65536))").replace(
        "except ConnectionResetError", "except (ConnectionResetError, BrokenPipeError)")
    endless = """
import socket, sys
s = socket.create_server(('0.0.0.0', 8080))
while True:
    c, _ = s.accept()
    if not __import__('os').fork():
        try:
            while True: c.sendall(bytes(65536))
        except OSError: sys.exit()
"""
    swallow = endless.replace("c.sendall(bytes(65536))", "assert c.recv(65536)")
    for client_code, server_code in ((reader, endless), (writer, swallow)):
        with lab.Lab(1) as net:
            net.server.start(PYTHON, "-c", server_code)
            lab.wait_for(lambda: ":8080 " in net.server.run("ss", "-Hltn"), what="server")
            socket_path = f"/tmp/{net.client.netns}.sock"
            daemon = net.client.start(lab.braid_binary(), "daemon", "--socket", socket_path)
            lab.wait_for(lambda: os.path.exists(socket_path), what="the daemon's socket")
            environment = dict(os.environ, BRAID_SOCKET=socket_path)
            program = net.client.start(*lab.braid_run(), PYTHON, "-c", client_code.format(host=net.server.address()),
                                       env=environment)
            assert program.stdout.readline() == b"connected\n", program.stderr.read()
            lab.wait_for(lambda: sum(lab.path_bytes(net.client, 0)) > 1 << 20, what="a transfer under way")
            os.kill(daemon_pid(net, daemon), signal.SIGKILL)
            out, err = program.communicate(timeout=20)
            assert out == b"reset\n", (out, err)


def daemon_pid(net, daemon):
    """`ip netns exec` execs the program: the process is the daemon itself."""
    assert b"daemon" in open(f"/proc/{daemon.pid}/cmdline", "rb").read()
    return daemon.pid


def test_a_killed_daemon_leaves_nothing_that_its_successor_does_not_clean():
    with lab.Lab(1) as net:
        before = net.client.run("ip", "rule"), net.client.run("ip", "-6", "rule")
        socket_path = f"/tmp/{net.client.netns}.sock"
        daemon = net.client.start(lab.braid_binary(), "daemon", "--socket", socket_path)
        lab.wait_for(lambda: os.path.exists(socket_path), what="the daemon's socket")
        os.kill(daemon_pid(net, daemon), signal.SIGKILL)
        daemon.wait()
        net.client.run(*lab.braid_run(), "true")
        assert (net.client.run("ip", "rule"), net.client.run("ip", "-6", "rule")) == before
        assert "braid" not in net.client.run("ip", "-br", "link")


def test_a_server_that_exits_delivers_its_last_data():
    server_code = """
import os, socket
listener = socket.create_server(('0.0.0.0', 8080))
print(os.getpid(), flush=True)
connection, _ = listener.accept()
connection.sendall(bytes(1 << 20))
connection.close()
listener.close()
"""
    client_code = """
import socket, sys
s = socket.create_connection(('{host}', 8080))
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
sys.stdin.readline()
got = 0
while block := s.recv(1 << 16):
    got += len(block)
print(got)
"""
    with lab.Lab(1) as net:
        server = net.server.start(*lab.braid_run(), PYTHON, "-c", server_code)
        program = server.stdout.readline().strip().decode()
        assert program, server.stderr.read()
        client = net.client.start(PYTHON, "-c", client_code.format(host=net.server.address()), stdin=subprocess.PIPE)
        # Then what it wrote is in the daemon, and most of it not yet at the client.
        lab.wait_for(lambda: not os.path.exists(f"/proc/{program}"), what="the end of the server program")
        out, err = client.communicate(b"read\n", timeout=30)
        assert out == b"1048576\n", (out, err)
