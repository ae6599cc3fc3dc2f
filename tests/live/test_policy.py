"""Rules: which programs and connections use Braid, live."""

import json
import os
import subprocess
import tempfile

import pytest

import lab

PROGRAMS = os.path.join(lab.HERE, "programs")
PYTHON = "/usr/bin/python3"

RULES = """
[[rule]]
program = "perl"
action = "kernel"

[[rule]]
name = "plain port"
port = 5001
action = "kernel"

[[rule]]
name = "single path"
port = 5002
action = "braid"
multipath = false

[[rule]]
name = "chosen"
port = 5003
action = "braid"
scheduler = "round-robin"
congestion_control = "lia"

[[rule]]
program = "busybox"
action = "capture"

[[rule]]
name = "servers"
use = "listen"
port = 6001
action = "kernel"
"""


@pytest.fixture
def place():
    with tempfile.TemporaryDirectory(prefix="braid-") as directory:
        os.chmod(directory, 0o755)
        yield directory


@pytest.fixture
def rules(place):
    path = os.path.join(place, "rules.toml")
    with open(path, "w") as file:
        file.write(RULES)
    return path


@pytest.fixture
def net():
    with lab.Lab(2) as made:
        made.server.use_kernel_mptcp(signal=True)
        yield made


def start_echo(side, port):
    server = side.start(PYTHON, os.path.join(PROGRAMS, "echo.py"), port)
    assert lab.next_line(server) == b"ready\n"


SHOW = """
import json, os, socket, subprocess, sys
found = {}
for port in (5000, 5001, 5002, 5003):
    s = socket.create_connection((sys.argv[1], port))
    s.sendall(b"Ex")
    s.recv(1)
    of_kernel = f":{port}" in subprocess.run(["ss", "-Htn"], capture_output=True, text=True).stdout
    mine = [c for c in json.loads(subprocess.run([sys.argv[2], "ss", "--json"], capture_output=True, text=True).stdout)
            ["connections"] if c["remote"].endswith(f":{port}")]
    found[port] = ["kernel"] if of_kernel else [mine[0][k] for k in ("multipath", "scheduler", "congestion_control")]
print(json.dumps(found))
"""


def test_rules_decide_about_each_connection(net, place, rules):
    for port in (5000, 5001, 5002, 5003):
        start_echo(net.server, port)
    path = os.path.join(place, "braid.sock")
    daemon = net.client.start(lab.braid_binary(), "daemon", "--socket", path, "--policy", rules)
    lab.wait_for(lambda: os.path.exists(path + ".capture") or daemon.poll() is not None, what="daemon")
    output = net.client.run("env", f"BRAID_SOCKET={path}", *lab.braid_run(), PYTHON, "-c", SHOW,
                            net.server.address(), lab.braid_binary(), timeout=60)
    found = json.loads(output)
    assert found["5000"][0] != "fallback" and found["5000"][1:] == ["lowest-rtt", "cubic"]
    assert found["5001"] == ["kernel"]
    assert found["5002"][0] == "fallback"
    assert found["5003"][0] != "fallback" and found["5003"][1:] == ["round-robin", "lia"]


def test_run_starts_programs_as_the_rules_say(net, rules):
    words = [lab.braid_binary(), "run", "--policy", rules, "--"]
    # Captured: another network namespace, and nothing preloaded.
    assert "192.0.0.2" in net.client.run(*words, "/bin/busybox", "ip", "addr", timeout=30)
    # The kernel's: as if Braid were not there.
    plain = net.client.run(*words, "/usr/bin/perl", "-e", "print $ENV{LD_PRELOAD} // 'none', ' ', $ENV{BRAID_SOCKET} // 'none'", timeout=30)
    assert plain == "none none"
    assert "libbraid_shim" in net.client.run(*words, PYTHON, "-c", "import os; print(os.environ['LD_PRELOAD'])", timeout=30)


@pytest.mark.parametrize("port,of_kernel", [(6001, True), (6002, False)])
def test_rules_decide_about_listeners(net, rules, port, of_kernel):
    server = net.server.start(lab.braid_binary(), "run", "--policy", rules, "--", PYTHON, "-c", f"""
import socket
listener = socket.create_server(("0.0.0.0", {port}))
print("ready", flush=True)
listener.accept()[0].sendall(b"hello")
""")
    assert lab.next_line(server) == b"ready\n"
    listening = [line for line in net.server.run("ss", "-Hltn").splitlines() if f"0.0.0.0:{port} " in line]
    assert bool(listening) == of_kernel
    said = net.client.run(PYTHON, "-c", f"import socket; print(socket.create_connection(('{net.server.address()}', {port})).recv(9))", timeout=30)
    assert said == "b'hello'\n"


def check(*words):
    done = subprocess.run([lab.braid_binary(), "policy", "check", *words], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def test_the_command_explains(rules, place):
    assert check(rules) == (0, f"{rules}: 6 rules, all sound\n", "")
    assert check(rules, "--explain", "curl", "192.0.2.2", "5003") == (0, f"braid: \"chosen\", {rules}:17\n", "")
    assert check(rules, "--explain", "curl", "192.0.2.2", "80") == (0, "braid: no rule fits\n", "")
    assert "with --capture" in check(rules, "--explain", "/bin/busybox", "192.0.2.2", "80")[1]
    assert "without Braid" in check(rules, "--explain", "perl", "192.0.2.2", "80")[1]
    asked = json.loads(check(rules, "--explain", "nginx", "0.0.0.0", "6001", "--listen", "--json")[1])
    assert asked == {"action": "kernel", "start": "braid", "rule": {"name": "servers", "line": 28}}
    wrong = os.path.join(place, "wrong.toml")
    with open(wrong, "w") as file:
        file.write('[[rule]]\nprogram = "x"\nacton = "kernel"\n')
    status, _, error = check(wrong)
    assert status == 1 and f"{wrong}:3:1:" in error and "did you mean \"action\"?" in error
    # And a program is not started with it.
    done = subprocess.run([lab.braid_binary(), "run", "--policy", wrong, "--", "true"], capture_output=True, text=True)
    assert done.returncode == 125 and f"{wrong}:3:1:" in done.stderr
