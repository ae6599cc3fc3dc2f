"""Two hosts with two paths, a stack on each, and what programs need there: files, certificates, a place to write."""

import contextlib
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile

import lab
from applications.registry import PAIRINGS

#: Mbit/s of each path: so that one path alone is not enough for a program that has much to send.
RATES = [400, 400]
TIMEOUT = 120  # seconds for one command


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


class Failed(Exception):
    """What a program did is not what it should have done."""


def expect(condition, what):
    if not condition:
        raise Failed(what() if callable(what) else what)


class Host:
    """One side: programs on it run on its stack."""

    def __init__(self, stage, side, stack):
        self.stage, self.side, self.stack = stage, side, stack
        self.environment = dict(os.environ)
        if stack == "braid":
            self.environment["BRAID_SOCKET"] = self._start_daemon()

    def _start_daemon(self):
        path = os.path.join(self.stage.directory, f"{self.side.name}.sock")
        self.daemon = self.side.start(lab.braid_binary(), "daemon", "--socket", path, stderr=subprocess.DEVNULL)
        lab.wait_for(lambda: os.path.exists(path + ".app") or self.daemon.poll() is not None, what="the daemon")
        expect(self.daemon.poll() is None, "the daemon did not start")
        return path

    @property
    def address(self):
        return self.side.address()

    def words(self, *command):
        prefix = lab.braid_run() if self.stack == "braid" else lab.MPTCPIZE
        return self.side.command(*prefix, *command)

    def run(self, *command, timeout=TIMEOUT, check=True, on_stack=True, environment=None, **options):
        """Runs a program to its end; what it printed on standard output."""
        words = self.words(*command) if on_stack else self.side.command(*command)
        try:
            done = subprocess.run(words, capture_output=True, timeout=timeout, env=self.environment | (environment or {}), **options)
        except subprocess.TimeoutExpired as error:
            raise Failed(f"{command[0]} did not end within {timeout} s: {_text(error.stdout)}{_text(error.stderr)}") from None
        if check and done.returncode != 0:
            raise Failed(f"{command[0]}: exit status {done.returncode}: {_text(done.stdout)[-600:]}{_text(done.stderr)[-600:]}")
        self.last_errors = _text(done.stderr)
        return _text(done.stdout)

    def loopback(self, *command, **options):
        """The same without any stack: for what only talks to its own host."""
        return self.run(*command, on_stack=False, **options)

    @contextlib.contextmanager
    def serve(self, *command, port=None, on_stack=True, environment=None, **options):
        """Runs a server while the block runs, from when it accepts connections on `port`."""
        log = tempfile.TemporaryFile()
        words = self.words(*command) if on_stack else self.side.command(*command)
        process = subprocess.Popen(words, start_new_session=True, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                   env=self.environment | (environment or {}), **options)
        self.side.lab.processes.append(process)

        def said():
            log.seek(0)
            return _text(log.read())[-800:]
        try:
            if port is not None:
                self._wait_until_accepting(process, port, command[0], said)
            yield process
        except Failed as error:
            raise Failed(f"{error}; {command[0]} said: {said()}") from None
        finally:
            self._end(process)
            log.close()

    def _wait_until_accepting(self, process, port, name, said):
        other = self.stage.client if self is self.stage.server else self.stage.server
        def is_accepting():
            expect(process.poll() is None, lambda: f"{name} ended with status {process.poll()}: {said()}")
            # Asked by plain TCP from the other host, as Braid's listeners are not in the kernel's table.
            probe = ["/usr/bin/python3", "-c", f"import socket; socket.create_connection(('{self.address}', {port}), 1).close()"]
            return subprocess.run(other.side.command(*probe), capture_output=True).returncode == 0
        try:
            lab.wait_for(is_accepting, seconds=30, what=f"{name} to accept connections")
        except TimeoutError as error:
            raise Failed(str(error)) from None

    def _end(self, process):
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, number)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=5)
        self.side.lab.processes.remove(process)

    def counters(self):
        """Octets' and connections' traces of Braid on this host."""
        text = lab.run(lab.braid_binary(), "counters", "--json", env=self.environment)
        return json.loads(text)


class Stage:
    """One pairing of stacks; many programs are run on it, one after the other."""

    def __init__(self, pairing):
        self.pairing = pairing
        self._next_port = 8000

    def __enter__(self):
        self._exits = contextlib.ExitStack()
        try:
            self.directory = self._exits.enter_context(tempfile.TemporaryDirectory(prefix="braid-apps-", ignore_cleanup_errors=True))
            os.chmod(self.directory, 0o755)
            self.net = self._exits.enter_context(lab.Lab(2, rates=RATES))
            for side in (self.net.client, self.net.server):
                # Servers ask for buffers of many sizes; the defaults of a small virtual machine are not the subject.
                side.sysctl(net__ipv4__ip_local_port_range="20000 29999")
            client, server = PAIRINGS[self.pairing]
            if client == "kernel":
                self.net.client.use_kernel_mptcp()
            if server == "kernel":
                self.net.server.use_kernel_mptcp(signal=True)
            self.client, self.server = Host(self, self.net.client, client), Host(self, self.net.server, server)
        except BaseException:
            self._exits.close()
            raise
        return self

    def __exit__(self, *_):
        self._exits.close()

    @property
    def braid_hosts(self):
        return [host for host in (self.client, self.server) if host.stack == "braid"]

    def port(self):
        self._next_port += 1
        return self._next_port

    @contextlib.contextmanager
    def place(self, owner=None):
        """A directory of a program's own."""
        with tempfile.TemporaryDirectory(dir=self.directory, ignore_cleanup_errors=True) as path:
            os.chmod(path, 0o755)
            if owner:
                shutil.chown(path, owner)
            yield path

    def certificate(self):
        """Paths of a certificate for the server's address, and of its key."""
        paths = os.path.join(self.directory, "cert.pem"), os.path.join(self.directory, "key.pem")
        if not os.path.exists(paths[0]):
            lab.run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", 2,
                    "-keyout", paths[1], "-out", paths[0], "-subj", "/CN=braid",
                    "-addext", f"subjectAltName=IP:{self.server.address},IP:127.0.0.1")
        return paths

    def measure(self, drive):
        """Runs it; what it took of connections, subflows and paths."""
        before = [host.counters() for host in self.braid_hosts], self._path_bytes()
        drive(self)
        after = [host.counters() for host in self.braid_hosts], self._path_bytes()
        differences = [{name: value - old.get(name, 0) for name, value in new.items()} for old, new in zip(before[0], after[0])]
        return usage_of(differences[0], [new - old for old, new in zip(before[1], after[1])])

    def _path_bytes(self):
        return [sum(lab.path_bytes(self.net.client, path)) for path in range(2)]


def usage_of(counted, octets):
    """What Braid's counters say of one run. A connection without the option was plain TCP: the probe whether a server accepts
    yet, or a peer without MPTCP."""
    def number(*names):
        return sum(counted.get("MPTcpExt" + name, 0) for name in names)
    return {
        "mptcp_connections": number("MPCapableSYNACKRX", "MPCapableACKRX"),
        "joins": number("MPJoinSynAckRx", "MPJoinAckRx"),
        "path_bytes": octets,
    }


def make_file(place, name, size):
    """Of octets that nothing compresses; its path and SHA-256."""
    path = os.path.join(place, name)
    data = os.urandom(size)
    with open(path, "wb") as file:
        file.write(data)
    return path, hashlib.sha256(data).hexdigest()


def expect_same(path, digest, what):
    expect(os.path.exists(path), f"{what}: there is no {os.path.basename(path)}")
    expect(sha256(path) == digest, f"{what}: {os.path.getsize(path)} octets, and not the right ones")


def find(pattern, text, what):
    found = re.search(pattern, text)
    expect(found, lambda: f"{what}: {text[-500:]}")
    return found


def _text(data):
    return data.decode(errors="replace") if isinstance(data, bytes) else data or ""
