"""Paths managed from outside of the daemon: by hand with `braid pm`, and by examples/path_program.py."""

import json
import os
import queue
import sys
import threading

import pytest

import lab

PROGRAM = os.path.join(lab.ROOT, "examples", "path_program.py")


class Monitor:
    """What `braid pm monitor --json` says."""

    def __init__(self, process):
        self.events, self.seen = queue.Queue(), []
        threading.Thread(target=self._read, args=(process.stdout,), daemon=True).start()

    def _read(self, lines):
        for line in lines:
            self.events.put(json.loads(line))

    def next(self, name):
        """The next event of that name; those between are passed over."""
        while True:
            try:
                event = self.events.get(timeout=10)
            except queue.Empty:
                raise AssertionError(f"no {name} among {self.seen}") from None
            self.seen.append(event)
            if event["event"] == name:
                return event


class Daemon:
    """`braid daemon` on one side, its control socket, and `braid pm` for it."""

    def __init__(self, side, directory, path_manager, wires=False):
        self.side, self.socket = side, os.path.join(str(directory), f"{side.name}.sock")
        config = os.path.join(str(directory), f"{side.name}.toml")
        with open(config, "w") as file:
            file.write(f'[connection]\npath_manager = "{path_manager}"\n')
            if wires:
                file.write('[network]\ninterfaces = ["path0", "path1"]\n')
        self.process = side.start(lab.braid_binary(), "daemon", "--config", config, "--socket", self.socket)
        lab.wait_for(lambda: os.path.exists(self.socket + ".app"), what="the daemon")
        self.environment = dict(os.environ, BRAID_SOCKET=self.socket)

    def braid(self, *words, check=True):
        return lab.run(lab.braid_binary(), *words, env=self.environment, check=check)

    def start(self, *command):
        return self.side.start(*command, env=self.environment)

    def monitor(self):
        return Monitor(self.start(lab.braid_binary(), "pm", "monitor", "--json"))

    def connections(self):
        return [c for c in json.loads(self.braid("ss", "--json"))["connections"] if c["multipath"] == "established"]

    def subflows(self):
        (connection,) = self.connections()
        return [s for s in connection["subflows"] if s["is_fully_established"]]


def route_everywhere(net):
    """The server's first address is reached over the second path too."""
    net.client.run("ip", "route", "add", "default", "via", net.server.address(1), "dev", "path1")


SERVER = """
import socket, sys
listener = socket.create_server((sys.argv[1], 8080))  # joins need it as long as the connection lives
print("listening", flush=True)
s, _ = listener.accept()
print("accepted", flush=True)
while s.sendall(b"x" * 1000) is None and s.recv(1):
    pass
"""
CLIENT = """
import socket, sys
s = socket.create_connection((sys.argv[1], 8080))
print("connected", flush=True)
for line in sys.stdin:
    n = 1000
    while n > 0:
        n -= len(s.recv(n))
    s.sendall(b"y")
    print("exchanged", flush=True)
"""


def start_pair(net, words, environment):
    """A client that has the server send a block for each line that the test gives it."""
    python = lab.PEER[0]
    server = net.server.start(*words, python, "-c", SERVER, net.server.address(0))
    assert server.stdout.readline() == b"listening\n", server.stderr.read()
    client = net.client.start(lab.braid_binary(), "run", "--", python, "-c", CLIENT, net.server.address(0),
                              env=environment, stdin=-1)
    return client, server


def exchange(client):
    client.stdin.write(b"\n")
    client.stdin.flush()
    assert client.stdout.readline() == b"exchanged\n", client.stderr.read()


def test_braid_pm_drives_paths_to_a_kernel_server(tmp_path):
    with lab.Lab(2) as net:
        route_everywhere(net)
        net.server.use_kernel_mptcp(signal=True)
        daemon = Daemon(net.client, tmp_path, "application")
        monitor = daemon.monitor()
        lab.wait_for(lambda: json.loads(daemon.braid("ss", "--json")) is not None, what="an answer")
        client, server = start_pair(net, lab.MPTCPIZE, daemon.environment)
        assert client.stdout.readline() == b"connected\n", client.stderr.read()
        exchange(client)
        created = monitor.next("created")
        assert not created["is_server"] and created["subflow"] == 0
        token = created["token"]
        assert monitor.next("established")["token"] == token
        announced = monitor.next("announced")
        assert announced["address"] in (net.server.address(1), net.server.address(1, 6))
        exchange(client)
        assert len(daemon.subflows()) == 1  # nothing by itself

        assert daemon.braid("pm", "create", "token", token, "from", net.client.address(1)) == "subflow 1\n"
        up = monitor.next("subflow-up")
        assert up["subflow"] == 1 and up["local"].startswith(net.client.address(1) + ":")
        assert net.server.counters()["MPTcpExtMPJoinAckRx"] == 1

        daemon.braid("pm", "set", "token", token, "subflow", 1, "backup")
        event = monitor.next("priority")
        assert event["is_backup"] and event["why"] == "by us"
        lab.wait_for(lambda: net.server.counters().get("MPTcpExtMPPrioRx") == 1, what="MP_PRIO at the kernel")

        assert daemon.braid("pm", "announce", net.client.address(1), "token", token, "port", 9999).startswith("id ")
        lab.wait_for(lambda: net.server.counters().get("MPTcpExtAddAddr", 0) >= 1, what="ADD_ADDR at the kernel")

        daemon.braid("pm", "destroy", "token", token, "subflow", 1)
        down = monitor.next("subflow-down")
        assert down["subflow"] == 1 and down["why"] == "closed-by-program"
        exchange(client)
        assert len(daemon.subflows()) == 1

        client.stdin.close()
        client.wait(10)
        server.kill()
        closed = monitor.next("closed")
        assert closed["token"] == token and closed["why"]


def test_mistakes_are_explained(tmp_path):
    with lab.Lab(2) as net:
        daemon = Daemon(net.client, tmp_path, "application")

        def complaint(*words):
            process = daemon.start(lab.braid_binary(), "pm", *words)
            _, err = process.communicate(timeout=10)
            assert process.returncode != 0
            return err.decode()

        assert "there is no MPTCP connection with the token 00000001" in complaint("close", "token", "1", "subflow", "0")
        assert "subflow is needed" in complaint("close", "token", "1")
        assert "did you mean 'label'" in complaint("open", "token", "1", "labell", 10)
        assert "192.0.2.1" in daemon.braid("pm", "endpoint", "show")
        assert daemon.braid("pm", "limits", "set", "subflows", 3).startswith("subflows 3")
        assert daemon.braid("limits").startswith("subflows 3")


@pytest.mark.parametrize("server_kind", ["kernel", "braid"])
def test_a_program_keeps_a_path_in_reserve_and_uses_it_when_the_first_is_silent(server_kind, tmp_path):
    """examples/path_program.py: a second path, backup, until the first goes silent."""
    with lab.Lab(2, delays=[5, 5]) as net:
        route_everywhere(net)
        if server_kind == "kernel":
            net.server.use_kernel_mptcp()
            words = lab.MPTCPIZE
        else:
            words = lab.braid_run_on_wires(tmp_path)
        daemon = Daemon(net.client, tmp_path, "application", wires=True)
        program = daemon.start(sys.executable, PROGRAM, "--reserve", net.client.address(1))
        assert program.stdout.readline().startswith(b"watching"), program.stderr.read()
        client, _ = start_pair(net, words, daemon.environment)
        assert client.stdout.readline() == b"connected\n", client.stderr.read()
        exchange(client)
        lab.wait_for(lambda: len(daemon.subflows()) == 2, what="the reserve")
        lab.wait_for(lambda: [s["is_backup"] for s in daemon.subflows()] == [False, True], what="backup")
        for _ in range(20):
            exchange(client)
        net.cut(0)
        for _ in range(20):
            exchange(client)
        lab.wait_for(lambda: [s["is_backup"] for s in daemon.subflows() if s["index"] == 1] == [False], 20,
                     "the reserve to be used")
        net.restore(0)
        lab.wait_for(lambda: [s["is_backup"] for s in daemon.subflows()] == [False, True], 20, "the reserve to rest")
        exchange(client)
        program.terminate()
        assert program.wait(10) is not None
