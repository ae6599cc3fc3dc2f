"""Two hosts on the laboratory's wires (`braid lab`): what stands on the first path is a middlebox of the simulator's. Like lab.Lab
for who uses it: sides with namespaces, addresses, programs."""

import os
import re
import select
import signal
import subprocess
import tempfile

import lab
from middleboxes import toml


class Wires:
    def __init__(self, paths, box, rate="100 Mbit/s", delay="2ms"):
        self.paths, self.processes, self.number = paths, [], 0
        self.text = 'duration = "60s"\nstops_early = false\n'
        for path in range(paths):
            self.text += f'[links.path{path}]\nbetween = ["client", "server"]\nrate = "{rate}"\ndelay = "{delay}"\n'
            if path == 0:
                self.text += f"middleboxes = [{toml(box)}]\n"
        # Namespaces without a daemon: the test starts what it wants in them.
        self.text += '[hosts.client]\nstack = "linux"\n[hosts.server]\nstack = "linux"\n'

    def __enter__(self):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write(self.text)
            file.flush()
            self.laboratory = subprocess.Popen([lab.braid_binary(), "lab", file.name, "--on", "client", "--", "sh", "-c", "echo ready; exec cat"],
                                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                               start_new_session=True)
            line = self.laboratory.stdout.readline() if select.select([self.laboratory.stdout], [], [], 20)[0] else "not ready\n"
        if line != "ready\n":
            os.killpg(self.laboratory.pid, signal.SIGTERM)
            raise RuntimeError(line + self.laboratory.communicate(timeout=10)[1])
        self.client, self.server = (self._side(name, number) for number, name in enumerate(("client", "server")))
        for side in (self.client, self.server):
            side.run("ip", "mptcp", "endpoint", "flush")
        return self

    def _side(self, name, number):
        names = lab.run("ip", "netns", "list").split()
        side = lab.Side(self, name)
        side.netns, = (n for n in names if re.fullmatch(rf"braid-{self.laboratory.pid}-{number}", n) or
                       n == f"braid-{self.laboratory.pid}-{name}")
        shown = side.run("ip", "-br", "-4", "addr")
        side.addresses = dict(re.findall(r"^(path\d+)\S*\s+\S+\s+([0-9.]+)/", shown, re.MULTILINE))
        return side

    def address(self, name, path, family):
        assert family == 4
        return (self.client if name == "client" else self.server).addresses[f"path{path}"]

    def __exit__(self, *_):
        for process in reversed(self.processes):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                try:
                    process.wait(timeout=3)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
        self.laboratory.stdin.close()
        try:
            self.laboratory.wait(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(self.laboratory.pid, signal.SIGKILL)  # what it made goes with it
            self.laboratory.wait()
