"""The daemon under a service manager: readiness, reading its file anew, its end, the journal's levels; with no privilege but those of
packaging/braid.service."""

import json
import os
import re
import signal
import socket
import subprocess
import tempfile

import pytest

import lab

UNIT = open(os.path.join(lab.ROOT, "packaging", "braid.service")).read()
CAPABILITIES = ",".join("+" + name.removeprefix("CAP_").lower()
                        for name in re.search(r"^AmbientCapabilities=(.*)$", UNIT, re.M).group(1).split())


@pytest.fixture
def net():
    with lab.Lab(2) as made:
        yield made


class Manager:
    """Listens as systemd does."""

    def __init__(self, directory):
        self.path = os.path.join(directory, "notify")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o777)
        self.socket.settimeout(20)

    def next(self):
        return dict(line.split("=", 1) for line in self.socket.recv(4096).decode().splitlines())


def open_to_all(directory):
    """The daemon's user gets there: pytest's directories are root's alone."""
    os.chmod(directory, 0o777)
    for parent in directory.parents:
        if str(parent) == tempfile.gettempdir():
            break
        os.chmod(parent, 0o755)


def start(net, directory, manager, config, *words):
    """In the background, as an unprivileged user with what the unit gives it; /dev/net/tun as udev makes it."""
    os.chmod(directory, 0o777)
    environment = {**os.environ, "NOTIFY_SOCKET": manager.path, "XDG_RUNTIME_DIR": directory}
    script = 'mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200 && exec "$@"'
    log = open(os.path.join(directory, "log"), "w")
    return net.client.start("unshare", "-m", "sh", "-c", script, "-", "setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups",
                            f"--inh-caps={CAPABILITIES}", f"--ambient-caps={CAPABILITIES}", f"--bounding-set=-all,{CAPABILITIES}", *words,
                            lab.braid_binary(), "daemon", "--config", config, "--socket", f"{directory}/s", env=environment, stderr=log)


def limits(net, directory):
    with socket.socket(socket.AF_UNIX) as control:
        control.connect(f"{directory}/s")
        control.sendall(b'{"command": "limits"}\n')
        return json.loads(control.makefile().readline())["result"]


def test_tells_its_manager_and_reads_its_file_anew(net, tmp_path):
    directory = str(tmp_path)
    open_to_all(tmp_path)
    config = tmp_path / "braid.toml"
    config.write_text("[limits]\nsubflows = 3\n")
    manager = Manager(directory)
    daemon = start(net, directory, manager, str(config))
    ready = manager.next()
    assert ready["READY"] == "1" and ready["MAINPID"] == str(daemon.pid) and ready["STATUS"].startswith("Serving programs")
    assert limits(net, directory)["subflows"] == 3

    config.write_text("[limits]\nsubflows = 5\n[connection]\nmultipath = false\n")
    daemon.send_signal(signal.SIGHUP)
    assert manager.next()["RELOADING"] == "1" and manager.next()["READY"] == "1"
    assert limits(net, directory)["subflows"] == 5

    config.write_text("[limits]\nsubflow = 7\n")
    daemon.send_signal(signal.SIGHUP)
    assert manager.next()["RELOADING"] == "1" and manager.next()["READY"] == "1"
    assert limits(net, directory)["subflows"] == 5
    assert 'did you mean "subflows"' in (tmp_path / "log").read_text()

    # A program on it, a server's port below 1024 among what it asks for.
    words = ["env", f"BRAID_SOCKET={directory}/s", lab.braid_binary(), "run", "--"]
    script = ("import socket; s = socket.socket(); s.bind((%r, 80)); s.listen(); print(s.getsockname())" % net.client.address(0))
    assert "80" in net.client.run(*words, "/usr/bin/python3", "-c", script)

    daemon.terminate()
    assert manager.next() == {"STOPPING": "1"}
    assert daemon.wait(timeout=20) == 0
    assert "8684" not in net.client.run("ip", "rule"), "all rules are gone"


def test_what_is_read_anew_is_for_connections_that_begin_then(net, tmp_path):
    directory = str(tmp_path)
    open_to_all(tmp_path)
    config = tmp_path / "braid.toml"
    config.write_text("")
    manager = Manager(directory)
    daemon = start(net, directory, manager, str(config))
    manager.next()
    net.server.use_kernel_mptcp()
    words = ["env", f"BRAID_SOCKET={directory}/s", lab.braid_binary(), "run", "--"]

    def syns():
        server = net.server.start(*lab.MPTCPIZE, *lab.PEER, "server", "0.0.0.0", 7100, "--bytes", 1000)
        server.stdout.readline()
        net.client.run(*words, *lab.PEER, "client", net.server.address(), 7100, "--bytes", 1000)
        server.wait(timeout=20)
        return net.server.counters().get("MPTcpExtMPCapableSYNRX", 0)

    before = syns()
    assert before >= 1
    config.write_text("[connection]\nmultipath = false\n")
    daemon.send_signal(signal.SIGHUP)
    manager.next(), manager.next()
    assert syns() == before, "plain TCP now"


def test_each_capability_of_the_unit_is_needed(net, tmp_path):
    """Without one of them the daemon does not serve, or not what it should: none is there for nothing."""
    open_to_all(tmp_path)
    for name in ("net_admin", "net_raw"):
        left = ",".join(c for c in CAPABILITIES.split(",") if c != "+" + name)
        done = subprocess.run(net.client.command(
            "unshare", "-m", "sh", "-c", 'mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200 && exec "$@"', "-", "setpriv",
            "--reuid", "nobody", "--regid", "nogroup", "--clear-groups", f"--inh-caps={left}", f"--ambient-caps={left}",
            f"--bounding-set=-all,{left}", lab.braid_binary(), "daemon", "--socket", f"{tmp_path}/x"), capture_output=True, text=True,
            timeout=20, env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)})
        assert done.returncode == 1 and f"CAP_{name.upper()}" in done.stderr, done.stderr
