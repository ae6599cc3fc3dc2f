"""One connection between Braid and the kernel's MPTCP whose programs do what the test says (talker.py), and both sides'
path managers, counters and views of it.

    with lab.Lab(2) as net, Conversation(net, "client") as talk:      # Braid is the client
        talk.exchange(1 << 20)
        talk.kernel.endpoint("add", net.server.address(1), "dev", "path1", "signal")
        talk.wait_for_subflows(2)
"""

import json
import os
import select
import subprocess
import sys
import tempfile
import time

import lab

HERE = os.path.dirname(os.path.abspath(__file__))
TALKER = [sys.executable if sys.executable.startswith("/usr/bin") else "/usr/bin/python3", os.path.join(HERE, "talker.py")]
PORT = 8080
#: What neither side may count in a connection that nobody disturbs.
BAD = ("MPCapableFallbackACK", "MPCapableFallbackSYNACK", "MPFallbackTokenInit", "DataCsumErr", "DSSNotMatching", "DSSCorruptionFallback",
       "DSSCorruptionReset", "InfiniteMapTx", "InfiniteMapRx", "DSSNoMatchTCP", "MPFailRx", "MPFailTx", "MPJoinSynAckHMacFailure",
       "MPJoinAckHMacFailure", "MPFastcloseRx", "MPFastcloseTx", "AddAddrBadHMac")


def toml(value):
    return json.dumps(value)  # of strings, numbers, booleans and lists of strings the same


class KernelStack:
    """The kernel's MPTCP of one side."""

    def __init__(self, side, limit=8, checksum=False, allow_join_initial=True, timestamps=True):
        self.side = side
        side.sysctl(net__ipv4__tcp_timestamps=int(timestamps))
        side.sysctl(net__mptcp__checksum_enabled=int(checksum), net__mptcp__allow_join_initial_addr_port=int(allow_join_initial))
        side.run("ip", "mptcp", "limits", "set", "subflows", limit, "add_addr_accepted", limit)

    def words(self, *program):
        return [*program, "--mptcp"]

    def endpoint(self, *words):
        self.side.run("ip", "mptcp", "endpoint", *words)

    def id_of(self, address):
        endpoint, = (e for e in json.loads(self.side.run("ip", "-j", "mptcp", "endpoint", "show")) if e["address"] == address)
        return endpoint["id"]

    def limits(self, *words):
        self.side.run("ip", "mptcp", "limits", *words)

    def counters(self):
        return {name[len("MPTcpExt"):]: value for name, value in self.side.counters().items() if name.startswith("MPTcpExt")}

    def stop(self):
        pass


class BraidStack:
    """A daemon of Braid's on one side."""

    def __init__(self, side, interfaces=None, limit=8, **connection):
        self.side = side
        self.directory = tempfile.TemporaryDirectory(prefix="braid-live-")
        self.socket = os.path.join(self.directory.name, "braid.sock")
        config = os.path.join(self.directory.name, "braid.toml")
        with open(config, "w") as file:
            file.write("[connection]\n" + "".join(f"{key} = {toml(value)}\n" for key, value in connection.items()))
            file.write(f"[limits]\nsubflows = {limit}\nadd_addr_accepted = {limit}\n[network]\nauto_endpoints = false\n")
            if interfaces:
                file.write(f"interfaces = {toml(interfaces)}\n")
        self.daemon = side.start(lab.braid_binary(), "daemon", "--socket", self.socket, "--config", config)
        lab.wait_for(lambda: os.path.exists(self.socket + ".app") or self.daemon.poll() is not None, what="the daemon")
        assert self.daemon.poll() is None, self.daemon.stderr.read()

    def words(self, *program):
        return ["env", f"BRAID_SOCKET={self.socket}", *lab.braid_run(), *program]

    def call(self, *words):
        return lab.run(lab.braid_binary(), *words, env=dict(os.environ, BRAID_SOCKET=self.socket))

    def endpoint(self, *words):
        return self.call("endpoint", *words)

    def id_of(self, address):
        endpoint, = (e for e in json.loads(self.call("endpoint", "show", "--json")) if e["address"] == address)
        return endpoint["id"]

    def limits(self, *words):
        return self.call("limits", *words)

    def counters(self):
        counters = json.loads(self.call("counters", "--json"))
        return {name[len("MPTcpExt"):]: value for name, value in counters.items() if name.startswith("MPTcpExt") and value}

    def connection(self):
        connections = json.loads(self.call("ss", "--json"))["connections"]
        assert len(connections) == 1, connections
        return connections[0]

    def stop(self):
        self.directory.cleanup()


class Talker:
    """A talker.py that runs."""

    PATIENCE = 15  # seconds for an answer

    def __init__(self, stack, role, address, *options):
        self.process = stack.side.start(*stack.words(*TALKER, role, address, PORT, *options), stdin=subprocess.PIPE)
        self.text = b""

    def expect(self, start):
        end = time.monotonic() + self.PATIENCE
        while b"\n" not in self.text:
            assert select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))[0], f"no answer in place of {start!r}"
            more = os.read(self.process.stdout.fileno(), 4096)
            assert more, f"it ended in place of {start!r}: {self.process.stderr.read().decode()}"
            self.text += more
        line, self.text = self.text.split(b"\n", 1)
        line = line.decode()
        assert line.startswith(start), f"{line!r} instead of {start!r}"
        return line[len(start):].strip()

    def tell(self, *words):
        self.process.stdin.write((" ".join(map(str, words)) + "\n").encode())
        self.process.stdin.flush()

    def do(self, expected, *words):
        self.tell(*words)
        return self.expect(expected)


class Conversation:
    """braid: which of "client" and "server" is on Braid; the other is on the kernel. is_mixed: sockets of IPv6 that can have
    paths of IPv4 too. routed: which side gets default routes by every path."""

    def __init__(self, net, braid, family=4, is_mixed=False, routed=None, interfaces=None, braid_options=None, kernel_options=None):
        self.net, self.role = net, braid
        if routed is not None:
            add_default_routes(net, net.client if routed == "client" else net.server)
        self.braid_side, self.kernel_side = (net.client, net.server) if braid == "client" else (net.server, net.client)
        self.braid = BraidStack(self.braid_side, interfaces, **(braid_options or {}))
        self.kernel = KernelStack(self.kernel_side, **(kernel_options or {}))
        stacks = (self.braid, self.kernel) if braid == "client" else (self.kernel, self.braid)
        address = net.server.address(0, family)
        self.server = Talker(stacks[1], "server", "::" if is_mixed or family == 6 else "0.0.0.0")
        self.server.expect("listening")
        self.client = Talker(stacks[0], "client", f"::ffff:{address}" if is_mixed and family == 4 else address)
        self.client.expect("connected")
        self.server.expect("connected")
        self.ours, self.peer = (self.client, self.server) if braid == "client" else (self.server, self.client)
        self.totals = {self.client: 0, self.server: 0}  # that each has been told to send
        # What lets joins be: both know that the other has the keys.
        self.exchange(1000)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.braid.stop()

    def send(self, sender, size):
        sender.tell("send", size)
        self.totals[sender] += size

    def read(self, reader, size):
        try:
            reader.do("read ", "read", size)
        except AssertionError as error:
            raise AssertionError(f"{error}: {self.seen()}") from error

    def seen(self):
        """What both sides say, for people."""
        return f"\n{self.braid.call('ss')}\nBraid: {self.braid.counters()}\nkernel: {self.kernel.counters()}"

    def exchange(self, size, meanwhile=lambda: None):
        """So many octets each way, exact; meanwhile something may happen."""
        for sender in (self.client, self.server):
            self.send(sender, size)
        # A part is read before, the rest after: it happens in the middle of a transfer.
        for reader in (self.client, self.server):
            self.read(reader, size // 4)
        meanwhile()
        for reader in (self.client, self.server):
            self.read(reader, size - size // 4)

    def finish(self):
        """Everything that was sent has arrived, and both ends close in order."""
        for talker in (self.client, self.server):
            talker.do("shut down", "shutdown")
        for talker in (self.client, self.server):
            assert talker.do("end", "end") == ""

    def announce(self, stack, address, path=1):
        """ADD_ADDR from that side. The kernel as a client listens nowhere, unless it is told a port."""
        port = ["port", 9090] if stack is self.kernel and self.role == "server" else []
        stack.endpoint("add", address, "dev", f"path{path}", "signal", *port)

    # ---- Braid's view
    def subflows(self):
        return [s for s in self.braid.connection()["subflows"] if s["is_fully_established"] and s["state"] == "ESTABLISHED"]

    def wait_for_subflows(self, count):
        try:
            lab.wait_for(lambda: len(self.subflows()) == count, what=f"{count} subflows")
        except TimeoutError as error:
            raise AssertionError(f"{error}: {self.braid.connection()}\nBraid: {self.braid.counters()}\nkernel: {self.kernel.counters()}") from error
        return self.subflows()

    def subflow_between(self, local=None, remote=None):
        """The one from Braid's address to the kernel's; None if there is none."""
        for s in self.subflows():
            if (local is None or host_of(s["local"]) == local) and (remote is None or host_of(s["remote"]) == remote):
                return s
        return None

    # ---- the kernel's
    def wait_for_kernel(self, **least):
        """Until the kernel has counted so much of each."""
        try:
            lab.wait_for(lambda: all(self.kernel.counters().get(name, 0) >= value for name, value in least.items()), what=str(least))
        except TimeoutError as error:
            raise AssertionError(f"{error}: {self.kernel.counters()}") from error

    def wait_for_braid(self, **least):
        try:
            lab.wait_for(lambda: all(self.braid.counters().get(name, 0) >= value for name, value in least.items()), what=str(least))
        except TimeoutError as error:
            raise AssertionError(f"{error}: {self.braid.counters()}") from error

    def assert_clean(self, *allowed):
        for counters in (self.kernel.counters(), self.braid.counters()):
            for name in BAD:
                assert name in allowed or counters.get(name, 0) == 0, (name, counters)


def add_default_routes(net, side):
    """Every address of the other side can be reached by every path from this one, as over the Internet."""
    other = "server" if side is net.client else "client"
    for path in range(net.paths):
        for family in (4, 6):
            side.run("ip", f"-{family}", "route", "add", "default", "via", net.address(other, path, family), "dev", f"path{path}",
                     "metric", 100 + path)


def host_of(endpoint):
    """The address of "192.0.2.1:80" or "[2001:db8::1]:80"."""
    return endpoint.rsplit(":", 1)[0].strip("[]")


def port_of(endpoint):
    return int(endpoint.rsplit(":", 1)[1])
