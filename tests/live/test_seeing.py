"""What people and programs see of a daemon with real traffic: `braid why`, `braid events`, `braid monitor`, the metrics."""

import json
import os
import re
import signal
import subprocess
import threading

import lab
from wires import Wires

RATE_MBIT = 40


class Daemon:
    """`braid daemon` on one side, its metrics on, and the commands that ask it."""

    def __init__(self, side, directory, interfaces=("path0", "path1"), text=""):
        self.side, self.socket = side, os.path.join(str(directory), f"{side.name}.sock")
        config = os.path.join(str(directory), f"{side.name}.toml")
        with open(config, "w") as file:
            file.write(f"[network]\ninterfaces = {json.dumps(list(interfaces))}\n{text}")
        self.process = side.start(lab.braid_binary(), "daemon", "--config", config, "--socket", self.socket,
                                  "--metrics", "127.0.0.1:9464")
        lab.wait_for(lambda: os.path.exists(self.socket + ".app"), what="the daemon")
        self.environment = dict(os.environ, BRAID_SOCKET=self.socket)

    def braid(self, *words, check=True):
        return lab.run(lab.braid_binary(), *words, env=self.environment, check=check)

    def json(self, *words):
        return json.loads(self.braid(*words, "--json"))

    def start(self, *command, **options):
        return self.side.start(*command, env=self.environment, **options)

    def sentences(self, *words):
        return [entry["text"] for entry in self.json("why", *words)["history"]]

    def has_said(self, *parts):
        """Whether the history of the last connection has these, in this order."""
        texts = iter(self.sentences("last"))
        return all(any(part in text for text in texts) for part in parts)

    def metrics(self, *options):
        return self.side.run("curl", "-sS", *options, "http://127.0.0.1:9464/metrics")


def bulk_from(net, daemon, size, words):
    """The client sends to the server; both programs."""
    server = net.server.start(*words, *lab.PEER, "server", net.server.address(0), 8080, "--bytes", 0)
    assert server.stdout.readline() == b"listening\n", server.stderr.read()
    client = daemon.start(lab.braid_binary(), "run", "--", *lab.PEER, "client", net.server.address(0), 8080, "--bytes", size)
    return client, server


def finish(process):
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, (out, err)
    return json.loads(out.splitlines()[-1])


class Terminal:
    """A program in tmux, which is a terminal that can be looked at. It tells of its end there: tmux may miss that."""

    def __init__(self, daemon, directory, columns, rows, *command):
        self.socket, self.daemon = os.path.join(str(directory), "tmux"), daemon
        environment = dict(daemon.environment, TERM="screen-256color", LC_ALL="C.UTF-8")
        environment.pop("NO_COLOR", None)
        lab.run("tmux", "-f", "/dev/null", "-S", self.socket, "new-session", "-d", "-x", columns, "-y", rows,
                "sh", "-c", '"$@"; echo "exit status $?"; cat', "sh", *map(str, command), env=environment)

    def tmux(self, *words):
        return lab.run("tmux", "-S", self.socket, *map(str, words))

    def text(self, *options):
        return self.tmux("capture-pane", "-p", *options)

    def press(self, *keys):
        self.tmux("send-keys", *keys)

    def wait_for(self, pattern, *options):
        found = []

        def is_there():
            found[:] = [self.text(*options)]
            return re.search(pattern, found[0], re.MULTILINE)
        try:
            lab.wait_for(is_there, what=pattern)
        except TimeoutError:
            raise AssertionError(f"no {pattern} in\n{found[0]}") from None
        return found[0]

    def close(self):
        self.tmux("kill-server")


def check_exposition(daemon):
    """Both formats are read by Prometheus' own library, which is strict about the second."""
    from prometheus_client.openmetrics import parser as strict
    from prometheus_client.parser import text_string_to_metric_families

    def samples(families):
        return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}

    text = samples(text_string_to_metric_families(daemon.metrics()))
    openmetrics = samples(strict.text_string_to_metric_families(daemon.metrics("-H", "Accept: application/openmetrics-text")))
    assert text.keys() == openmetrics.keys()
    assert len(text) > 100
    return text


def test_a_path_that_is_cut_and_comes_back_is_seen_everywhere(tmp_path):
    with lab.Lab(2, rates=[RATE_MBIT] * 2, delays=[10, 10]) as net:
        net.server.use_kernel_mptcp(signal=True)
        daemon = Daemon(net.client, tmp_path)
        follower = daemon.start(lab.braid_binary(), "events", "--json", "--follow", "--last", "0")
        client, server = bulk_from(net, daemon, 200 << 20, lab.MPTCPIZE)
        for path in (0, 1):
            lab.wait_for(lambda: lab.path_bytes(net.server, path)[0] > 1 << 20, what=f"data on path {path}")
        terminal = Terminal(daemon, tmp_path, 80, 24, lab.braid_binary(), "monitor", "--interval", "0.2")
        try:
            screen = terminal.wait_for(r"\d\d\.\dM.*█")
            assert all(len(line) <= 80 for line in screen.splitlines())
            assert "1 connection: 1 MPTCP, 0 TCP" in screen
            for address in (net.client.address(0), net.client.address(1)):
                assert re.search(rf"^   \d {re.escape(address)}[ :].* up ", screen, re.MULTILINE), screen
            assert re.search(r"EVENTS\n(.*\n)* \d\d:\d\d:\d\d [0-9a-f]{8}", screen), screen
            assert "\x1b[32m" in terminal.text("-e")

            net.cut(0)
            terminal.wait_for(r"0 192.0.2.1[ :].*silent")
            metrics = check_exposition(daemon)
            assert metrics["braid_path_subflows", (("local", "192.0.2.1"), ("state", "silent"))] == 1
            assert metrics["braid_path_sent_bytes_total", (("local", "198.51.100.1"),)] > 1 << 20
            assert metrics["braid_MPTcpExtMPCurrEstab", ()] == 1
            net.restore(0)
            terminal.wait_for(r"0 192.0.2.1[ :].* up ")
            terminal.tmux("resize-window", "-x", 120, "-y", 40)
            terminal.wait_for(rf"{net.client.address(0)}:\d+ → {net.server.address(0)}:8080 +[0-9a-f]{{8}}")
            terminal.press("?")
            terminal.wait_for("sort by the next")
            terminal.press("?", "Down", "Enter")
            terminal.wait_for(r"\+\d+\.\d+ s  Connected: ")
            terminal.press("q")
            terminal.wait_for("^exit status 0$")
        finally:
            terminal.close()
        assert daemon.has_said("Connected: ", "Both ends have proved", "is up", "Path 0 (192.0.2.1 -> ", "answers again")
        assert any("is silent" in text for text in daemon.sentences("last"))
        once = daemon.braid("monitor", "--once", "--interval", "0.2", "--size", "80x24")
        assert len(once.splitlines()) == 24 and "\x1b" not in once
        answer = daemon.json("why", "last")
        assert re.search(r"Path \d \(198.51.100.1 -> \S+\) is up, has carried \d+ %", " ".join(answer["now"])), answer["now"]
        token = answer["connection"]["token"]
        assert daemon.braid("why", token).startswith(f"Connection {token}  {net.client.address(0)}:")

        client.send_signal(signal.SIGKILL)
        client.wait(10)
        server.kill()
        # Usually at once; but a Linux server that was killed with a full receive buffer may keep the window shut
        # without a word until its FIN-WAIT-2 ends, after 60 s.
        lab.wait_for(lambda: daemon.json("why", token)["connection"]["state"] in ("closed", "failed"), seconds=90,
                     what="the end")
        after = check_exposition(daemon)
        path = ("braid_path_sent_bytes_total", (("local", "198.51.100.1"),))
        assert after[path] >= metrics[path]
        follower.terminate()
        events = [json.loads(line) for line in follower.communicate(timeout=10)[0].splitlines()]
        names = [event["event"] for event in events]
        for name in ("opened", "multipath", "address-learned", "subflow-up", "path-stalled", "path-recovered"):
            assert name in names, names
        assert all(event["text"] and event["time_s"] > 0 for event in events)
        assert {e["event"] for e in map(json.loads, daemon.braid("events", "--json").splitlines())} <= set(names)


def test_why_tells_of_options_that_are_removed_on_the_way(tmp_path):
    box = {"kind": "option-remover", "segments": ["ack", "data"]}
    with Wires(1, box) as net:
        daemon = Daemon(net.client, tmp_path, interfaces=["path0"])
        client, server = bulk_from(net, daemon, 300_000, lab.MPTCPIZE)
        finish(client), finish(server)
        texts = " ".join(daemon.sentences("last"))
        assert "It is plain TCP from here on: " in texts and "something on the way" in texts, texts
        address = re.escape(net.server.address(0))
        assert re.search(rf"The segment that led to it: ACK from {address}:8080, .* no MPTCP option", texts), texts
        assert "  plain TCP, opened here at " in daemon.braid("why", "last")


def test_why_tells_of_a_join_that_the_peer_refused(tmp_path):
    with lab.Lab(2) as net:
        net.client.run("ip", "route", "add", "default", "via", net.server.address(1), "dev", "path1")
        net.server.run("ip", "mptcp", "limits", "set", "subflows", 0, "add_addr_accepted", 0)
        daemon = Daemon(net.client, tmp_path)
        client, server = bulk_from(net, daemon, 2 << 20, lab.MPTCPIZE)
        finish(client), finish(server)
        lab.wait_for(lambda: daemon.has_said("Asked the peer for path 1 (198.51.100.1", "did not come up: the peer refused it, its reason being administratively-prohibited"), what="the refusal")


def test_why_tells_of_failures_and_mistakes_are_explained(tmp_path):
    with lab.Lab(1) as net:
        daemon = Daemon(net.client, tmp_path, interfaces=["path0"])
        assert "no connection yet" in daemon.start(lab.braid_binary(), "why", "last").communicate()[1].decode()
        refused = daemon.start(lab.braid_binary(), "run", "--", *lab.PEER, "client", net.server.address(0), 9, "--bytes", 1)
        refused.wait(10)
        text = daemon.braid("why", "--failed")
        assert "The connection failed: the peer refused it" in text
        assert f"->{net.server.address(0)}:9 " in daemon.braid("why", "--list", "--failed")
        unknown = daemon.start(lab.braid_binary(), "why", "12345678")
        assert "`braid why` lists" in unknown.communicate()[1].decode() and unknown.returncode == 1
        piped = daemon.start(lab.braid_binary(), "monitor", stdin=subprocess.DEVNULL)
        assert "--once" in piped.communicate()[1].decode() and piped.returncode == 2
        exposed = daemon.start(lab.braid_binary(), "daemon", "--metrics", "0.0.0.0:9464")
        assert "from outside" in exposed.communicate()[1].decode() and exposed.returncode == 2
        second = daemon.start(lab.braid_binary(), "daemon", "--socket", str(tmp_path / "second.sock"), "--metrics", "127.0.0.1:9464")
        assert "Something else listens there" in second.communicate(timeout=10)[1].decode() and second.returncode == 1
        codes = [net.client.run("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", *words, f"http://127.0.0.1:9464{path}")
                 for path, *words in [("/metrics",), ("/nothing",), ("/metrics", "-I"), ("/metrics", "-X", "DELETE")]]
        assert codes == ["200", "404", "200", "405"]


def test_a_reader_of_events_who_stands_still_stops_nobody(tmp_path):
    with lab.Lab(1) as net:
        daemon = Daemon(net.client, tmp_path, interfaces=["path0"])
        reader = daemon.start(lab.braid_binary(), "events", "--json", "--follow")
        lab.wait_for(lambda: check_exposition(daemon)["braid_event_subscribers", ()] == 1, what="the subscriber")
        reader.send_signal(signal.SIGSTOP)
        # More events than fit into what waits for it.
        program = f"""
import socket
for i in range(4000):
    s = socket.socket()
    assert s.connect_ex(({net.server.address(0)!r}, 9)) != 0
    s.close()
"""
        done = daemon.start(lab.braid_binary(), "run", "--", lab.PEER[0], "-c", program)
        assert done.wait(60) == 0, done.stderr.read()
        lost = check_exposition(daemon)["braid_events_lost_total", ()]
        assert lost > 0
        reader.send_signal(signal.SIGCONT)
        events = []
        threading.Thread(target=lambda: events.extend(json.loads(line) for line in reader.stdout), daemon=True).start()

        def is_told():
            """With the next event that there is room for."""
            daemon.start(lab.braid_binary(), "run", "--", *lab.PEER, "client", net.server.address(0), 9, "--bytes", 1).wait(10)
            return any(event["event"] == "lost" for event in events)
        lab.wait_for(is_told, what="the count of the lost")
        assert sum(event.get("count", 0) for event in events if event["event"] == "lost") >= lost
