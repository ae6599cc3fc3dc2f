"""The installed package under systemd itself, in a container of its own: the unit starts, is used, survives a kill, reloads and stops.
That is what no check of the unit's text shows."""

import os
import shutil
import subprocess
import tempfile

import pytest
from test_package import LOWER, packages

import lab

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root (an overlay, a container)"),
    pytest.mark.skipif(len(packages()) != 2, reason="needs the packages: scripts/package"),
    pytest.mark.skipif(shutil.which("systemd-nspawn") is None, reason="needs systemd-nspawn (package systemd-container)"),
    pytest.mark.skipif(not os.path.exists(os.path.join(LOWER, "usr/lib/systemd/systemd")), reason="needs systemd in the root"),
]

#: Enough of a system for a service; nothing else that the root below has installed is started.
TARGET = "basic.target"


class Container:
    """systemd as process 1 over an overlay of the root; all of it ends with the first process of its mount namespace."""

    def __init__(self, place):
        self.place = place
        script = (f"set -e; mount -t tmpfs none {place}; mkdir {place}/upper {place}/work {place}/root; "
                  "while umount /sys/fs/cgroup 2>/dev/null; do :; done; mount -t cgroup2 none /sys/fs/cgroup; "
                  f"mount -t overlay -o lowerdir={LOWER},upperdir={place}/upper,workdir={place}/work none {place}/root; "
                  f"cat > {place}/root/etc/apt/apt.conf.d/00none < /dev/null; cp {' '.join(packages())} {place}/root/root/; "
                  "export SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1; "
                  f"exec systemd-nspawn --quiet -D {place}/root --register=no --keep-unit --private-network --machine=braid-{os.getpid()} "
                  "--capability=CAP_NET_ADMIN,CAP_NET_RAW "
                  f"--console=read-only --boot -- --unit={TARGET}")
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c", script],
                                        stdout=self.log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)

    def wait_until_up(self):
        self.leader = lab.wait_for(self.find_leader, 60, "systemd in the container")
        lab.wait_for(lambda: self.run("systemctl", "is-active", TARGET, check=False).stdout.strip() == "active", 60, "the container's system")

    def find_leader(self):
        """The container's process 1, as seen from here."""
        assert self.process.poll() is None, self.console()
        below = [str(self.process.pid)]
        while below:
            found = subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", ",".join(below)], capture_output=True, text=True).stdout
            rows = [line.split() for line in found.splitlines()]
            for pid, name in rows:
                if name == "systemd":
                    return int(pid)
            below = [pid for pid, _ in rows]
        return None

    def console(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")

    def run(self, *command, check=True, timeout=120):
        done = subprocess.run(["nsenter", "-t", str(self.leader), "-a", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8",
                               "DEBIAN_FRONTEND=noninteractive", "HOME=/root", *command], capture_output=True, text=True, timeout=timeout)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def shows(self, key):
        return self.run("systemctl", "show", "--value", "-p", key, "braid").stdout.strip()

    def end(self):
        self.process.kill()
        self.process.wait()


@pytest.fixture
def container():
    place = tempfile.mkdtemp(prefix="braid-systemd-")
    made = Container(place)
    try:
        made.wait_until_up()
        yield made
    finally:
        made.end()
        os.rmdir(place)


def test_the_service_starts_is_used_survives_reloads_and_stops(container):
    container.run("sh", "-c", "dpkg -i /root/*.deb")
    # As udev leaves it on a real machine; there is none in a container.
    container.run("sh", "-c", "mkdir -p /dev/net && rm -f /dev/net/tun && mknod -m 666 /dev/net/tun c 10 200")
    container.run("sh", "-c", "ip link add up0 type veth peer name up1 && ip addr add 192.0.2.1/24 dev up0 && "
                              "ip link set up0 up && ip link set up1 up")
    container.run("systemctl", "start", "braid", check=False)
    assert container.shows("ActiveState") == "active", container.run("journalctl", "-u", "braid", "--no-pager").stdout
    pid = container.shows("MainPID")
    assert container.run("ps", "-o", "user=", "-p", pid).stdout.strip() == "braid"
    assert "192.0.2.1" in container.run("braid", "up", "--status").stdout
    assert container.run("braid", "run", "--", "cat", "/etc/hostname").returncode == 0
    assert "braid0" in container.run("ip", "-br", "link").stdout

    container.run("systemctl", "reload", "braid")
    assert container.shows("MainPID") == pid
    container.run("sh", "-c", "echo '[nonsense]' >> /etc/braid/braid.toml")
    refused = container.run("systemctl", "reload", "braid", check=False)
    assert refused.returncode != 0
    assert "nonsense" in container.run("journalctl", "-u", "braid", "--no-pager").stdout
    assert container.shows("MainPID") == pid, "a mistake in the file does not end the daemon"
    container.run("sed", "-i", "/nonsense/d", "/etc/braid/braid.toml")

    container.run("kill", "-9", pid)
    lab.wait_for(lambda: container.shows("ActiveState") == "active" and container.shows("MainPID") not in ("0", pid), 30, "its restart")
    assert "192.0.2.1" in container.run("braid", "up", "--status").stdout

    rules = container.run("ip", "rule").stdout
    container.run("systemctl", "stop", "braid")
    assert container.shows("ActiveState") == "inactive" and container.shows("Result") == "success"
    assert "braid0" not in container.run("ip", "-br", "link").stdout
    left = container.run("ip", "rule").stdout
    assert len(left.splitlines()) == 3 < len(rules.splitlines()), left
    # Removing it stops what runs.
    container.run("systemctl", "start", "braid")
    container.run("dpkg", "--purge", "braid-dev", "braid")
    assert container.run("systemctl", "is-active", "braid", check=False).stdout.strip() in ("inactive", "failed", "unknown")
    assert "braid0" not in container.run("ip", "-br", "link").stdout
