"""Two hosts in network namespaces, joined by one to three paths: what the live tests, the demo and the live
benchmark run on. Everything it makes carries the process id in its name and is removed again on every way out."""

import atexit
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.path.abspath(os.environ.get("BRAID_BUILD", os.path.join(ROOT, "build", "release")))
HERE = os.path.dirname(os.path.abspath(__file__))

#: One line a path: network part of IPv4 and of IPv6; the client is .1, the server .2 on each.
NETWORKS = [("192.0.2.", "2001:db8:1::"), ("198.51.100.", "2001:db8:2::"), ("203.0.113.", "2001:db8:3::")]


def braid_binary():
    return os.environ.get("BRAID", os.path.join(BUILD, "bin", "braid"))


def why_not():
    """Why live tests cannot run here; None if they can."""
    if os.geteuid() != 0:
        return "needs root (network namespaces)"
    if not os.path.exists("/dev/net/tun"):
        return "needs /dev/net/tun"
    if not os.path.exists("/proc/sys/net/mptcp/enabled"):
        return "needs a kernel with MPTCP as the peer"
    if not os.path.exists(braid_binary()):
        return f"needs {braid_binary()}: build first"
    return None


def run(*command, check=True, **options):
    """Runs a command to its end; its output is in the exception when it fails."""
    done = subprocess.run([str(c) for c in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def wait_for(condition, seconds=10.0, what="condition"):
    """Polls until condition() is true; a live test waits for conditions, not for a time."""
    end = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.02)


def next_line(process, seconds=30.0):
    """The next line of a program's output; a test that waits for one in vain fails, and does not hang."""
    line, end = b"", time.monotonic() + seconds
    while not line.endswith(b"\n"):
        if not select.select([process.stdout], [], [], max(0, end - time.monotonic()))[0]:
            raise TimeoutError(f"waited {seconds} s for a line of {process.args}, got {line}")
        byte = os.read(process.stdout.fileno(), 1)  # nothing is left in a buffer that select() does not see
        if not byte:
            break
        line += byte
    return line


class Side:
    """One of the two hosts."""

    def __init__(self, lab, name):
        self.lab, self.name = lab, name
        self.netns = f"braid-{os.getpid()}-{lab.number}-{name}"

    def command(self, *command):
        return ["ip", "netns", "exec", self.netns, *map(str, command)]

    def run(self, *command, **options):
        return run(*self.command(*command), **options)

    def start(self, *command, **options):
        """Starts a program of this host; the lab ends it at the latest when it closes."""
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        process = subprocess.Popen(self.command(*command), start_new_session=True, **options)
        self.lab.processes.append(process)
        return process

    def sysctl(self, **values):
        for key, value in values.items():
            self.run("sysctl", "-qw", f"{key.replace('__', '.')}={value}")

    def counters(self):
        """The kernel's own counters of this namespace, non-zero ones."""
        text = self.run("cat", "/proc/net/netstat", "/proc/net/snmp")
        values, lines = {}, text.splitlines()
        for names, numbers in zip(lines[::2], lines[1::2]):
            prefix = names.split(":")[0]
            for key, value in zip(names.split()[1:], numbers.split()[1:]):
                if value != "0":
                    values[prefix + key if prefix != "MPTcpExt" else "MPTcpExt" + key] = int(value)
        return values

    def address(self, path=0, family=4):
        return self.lab.address(self.name, path, family)

    def use_kernel_mptcp(self, signal=False, subflow=False, checksum=False, limit=8):
        """Endpoints on every path but the first, as an administrator would set them."""
        self.sysctl(net__mptcp__checksum_enabled=int(checksum))
        self.run("ip", "mptcp", "limits", "set", "subflows", limit, "add_addr_accepted", limit)
        flags = (["signal"] if signal else []) + (["subflow"] if subflow else [])
        for path in range(1, self.lab.paths):
            for family in (4, 6):
                self.run("ip", "mptcp", "endpoint", "add", self.address(path, family), "dev", f"path{path}", *flags)


class Lab:
    """paths: 1 to 3; rates: Mbit/s per path (tbf), or None; delays: one-way milliseconds per path, or None."""

    count = 0

    def __init__(self, paths=2, rates=None, delays=None):
        Lab.count += 1
        self.number = Lab.count
        self.paths, self.rates, self.delays = paths, rates, delays
        self.processes = []
        self.client, self.server = Side(self, "client"), Side(self, "server")

    def address(self, name, path, family):
        v4, v6 = NETWORKS[path]
        return (v4 if family == 4 else v6) + ("1" if name == "client" else "2")

    def __enter__(self):
        atexit.register(self.close)
        try:
            self._build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def _build(self):
        for side in (self.client, self.server):
            run("ip", "netns", "add", side.netns)
            side.run("ip", "link", "set", "lo", "up")
            side.sysctl(net__mptcp__enabled=1, net__mptcp__blackhole_timeout=0, net__ipv6__conf__all__accept_dad=0,
                        net__ipv6__conf__default__accept_dad=0, net__ipv4__conf__all__rp_filter=0,
                        net__ipv4__conf__default__rp_filter=0)
        for path in range(self.paths):
            if self.delays and self.delays[path]:
                self._delay_path(path)
            else:
                run("ip", "link", "add", f"path{path}", "netns", self.client.netns, "type", "veth",
                    "peer", "name", f"path{path}", "netns", self.server.netns)
            for side in (self.client, self.server):
                for family, bits in ((4, 24), (6, 64)):
                    options = ["nodad"] if family == 6 else []
                    side.run("ip", "addr", "add", f"{side.address(path, family)}/{bits}", "dev", f"path{path}", *options)
                side.run("ip", "link", "set", f"path{path}", "up")
                if self.rates and self.rates[path] and not (self.delays and self.delays[path]):
                    side.run("tc", "qdisc", "add", "dev", f"path{path}", "root", "tbf", "rate",
                             f"{self.rates[path]}mbit", "burst", "64kb", "latency", "100ms")

    def _delay_path(self, path):
        """A wire with a delay (the kernel here has no netem): a program between two TAP devices."""
        command = [os.path.join(BUILD, "bin", "delay_wire"), f"{self.client.netns}:path{path}",
                   f"{self.server.netns}:path{path}", "--delay-ms", self.delays[path]]
        if self.rates and self.rates[path]:
            command += ["--rate-mbit", self.rates[path]]
        process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, start_new_session=True)
        self.processes.append(process)
        if process.stdout.readline().strip() != b"ready":
            raise RuntimeError("delay_wire did not start")

    def cut(self, path):
        """From now on the path drops everything, silently, both ways."""
        for side in (self.client, self.server):
            side.run("nft", f"add table netdev cut{path}; add chain netdev cut{path} in "
                            f"{{ type filter hook ingress device path{path} priority 0; policy drop; }}")

    def restore(self, path):
        for side in (self.client, self.server):
            side.run("nft", f"delete table netdev cut{path}")

    def close(self):
        for process in reversed(self.processes):
            if process.poll() is None:
                try:
                    os.killpg(process.pid, signal.SIGTERM)
                    process.wait(timeout=3)
                except (subprocess.TimeoutExpired, ProcessLookupError):
                    try:
                        os.killpg(process.pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                    process.wait()
        self.processes.clear()
        for side in (self.client, self.server):
            # Nothing of ours may outlive its namespace.
            for pid in run("ip", "netns", "pids", side.netns, check=False).split():
                try:
                    os.kill(int(pid), signal.SIGKILL)
                except ProcessLookupError:
                    pass
            run("ip", "netns", "del", side.netns, check=False)
        atexit.unregister(self.close)


def path_bytes(side, path):
    """Octets that came in and went out of a path's device so far."""
    base = f"/sys/class/net/path{path}/statistics/"
    text = side.run("cat", base + "rx_bytes", base + "tx_bytes")
    received, sent = map(int, text.split())
    return received, sent


def braid_run(*options):
    """The words that put a program on Braid: in front of its own."""
    return [braid_binary(), "run", *options, "--"]


def braid_run_on_wires(directory):
    """The same for a lab with delays: its paths are TAP devices, which Braid takes as uplinks when it is told to."""
    path = os.path.join(str(directory), "wires.toml")
    with open(path, "w") as file:
        file.write("[network]\ninterfaces = [" + ", ".join(f'"path{i}"' for i in range(len(NETWORKS))) + "]\n")
    return braid_run("--config", path)


MPTCPIZE = ["mptcpize", "run"]
PEER = [sys.executable if sys.executable.startswith("/usr/bin") else "/usr/bin/python3", os.path.join(HERE, "peer.py")]
