"""The Debian packages in a root of their own: install, use, remove, purge; and nothing is left. That root is an overlay over a
directory, this machine's / or (BRAID_PACKAGE_ROOT) a clean one that debootstrap made: then apt fetches what the
packages depend on. scripts/package builds them."""

import glob
import os
import shutil
import subprocess
import sys
import tempfile

import pytest

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
BUILD = os.path.join(ROOT, os.environ.get("BRAID_BUILD", "build/release"))
LOWER = os.environ.get("BRAID_PACKAGE_ROOT", "/")
#: What apt and dpkg note of their own work, and what adduser rewrites: the accounts are compared apart.
NOT_OURS = ("var/lib/dpkg", "var/lib/apt", "var/cache", "var/log/dpkg.log", "var/log/apt", "var/log/alternatives.log", "etc/passwd", "etc/group",
            "etc/shadow", "etc/gshadow", "etc/subuid", "etc/subgid", "etc/ld.so.cache", "etc/.pwd.lock", "var/lib/systemd/deb-systemd-helper-enabled")


def packages():
    return sorted(glob.glob(os.path.join(BUILD, "packages", "*.deb")))


pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root (an overlay, chroot)"),
    pytest.mark.skipif(len(packages()) != 2, reason="needs the packages: scripts/package"),
]


class Machine:
    """A root to spoil. All of it lives in one mount namespace, which a shell keeps: it goes when the shell does."""

    def __init__(self, place):
        self.place, self.settled = place, set()
        script = (f"set -e; mount -t tmpfs none {place}; mkdir {place}/upper {place}/work {place}/root; "
                  f"mount -t overlay -o lowerdir={LOWER},upperdir={place}/upper,workdir={place}/work none {place}/root; "
                  f"cd {place}/root; for d in dev proc sys; do mkdir -p $d; done; mount -t proc none proc; mount -t sysfs none sys; "
                  "mount -t tmpfs none dev; mkdir dev/net dev/shm; mknod -m 666 dev/null c 1 3; mknod -m 666 dev/zero c 1 5; "
                  "mknod -m 666 dev/urandom c 1 9; mknod -m 666 dev/net/tun c 10 200; mount -t tmpfs none run; "
                  "mount -t tmpfs none tmp; mkdir -p root; ip link set lo up; echo ready; exec sleep 600")
        # A network of its own, too: only apt, which fetches what is missing, is let out of it.
        self.shell = subprocess.Popen(["unshare", "--mount", "--pid", "--net", "--uts", "--fork", "--kill-child", "bash", "-c", script],
                                      stdout=subprocess.PIPE, text=True)
        assert self.shell.stdout.readline() == "ready\n"
        self.pid = int(subprocess.run(["ps", "-o", "pid=", "--ppid", str(self.shell.pid)], capture_output=True, text=True).stdout)

    def run(self, *command, check=True, timeout=300, is_let_out=False, **options):
        done = subprocess.run(["nsenter", "-t", str(self.pid), "-m", "-p", "-u", *([] if is_let_out else ["-n"]), "chroot", f"{self.place}/root", "env",
                               "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "HOME=/root", *command],
                              capture_output=True, text=True, timeout=timeout, **options)
        if check and done.returncode != 0:
            raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def copy(self, path):
        with open(path, "rb") as file:
            subprocess.run(["nsenter", "-t", str(self.pid), "-m", "tee", f"{self.place}/root/root/{os.path.basename(path)}"],
                           stdin=file, stdout=subprocess.DEVNULL, check=True)
        return f"/root/{os.path.basename(path)}"

    def changes(self):
        """What differs from the root below, by the overlay's own account: files that are new, gone or have another content, and
        new directories. And the accounts."""
        found = subprocess.run(["nsenter", "-t", str(self.pid), "-m", "find", f"{self.place}/upper", "-mindepth", "1", "-printf", "%P\t%y\n"],
                               capture_output=True, text=True, check=True).stdout
        changed = set()
        for line in found.splitlines():
            path, kind = line.split("\t")
            if path.startswith(NOT_OURS) or path == "root" or path.startswith("root/"):
                continue
            below = os.path.join(LOWER, path)
            if kind == "d":
                if not os.path.isdir(below):
                    changed.add(path)
            elif kind != "f" or not os.path.isfile(below) or self.read(path) != open(below, "rb").read():
                changed.add(path)
        accounts = self.run("sh", "-c", "cat /etc/passwd /etc/group").stdout
        return changed - self.settled, set(accounts.splitlines())

    def settle(self):
        """What was changed up to now is no change."""
        self.settled = self.changes()[0]

    def read(self, path):
        return subprocess.run(["nsenter", "-t", str(self.pid), "-m", "cat", f"{self.place}/upper/{path}"], capture_output=True, check=True).stdout

    def end(self):
        self.shell.kill()
        self.shell.wait()


@pytest.fixture
def machine():
    place = tempfile.mkdtemp(prefix="braid-package-")
    made = Machine(place)
    yield made
    made.end()
    os.rmdir(place)


def test_installed_used_removed_purged_and_nothing_is_left(machine):
    if LOWER != "/":
        # Dependencies first and apart: what they leave is not for this test to judge.
        for name in ("resolv.conf", "hosts"):
            machine.copy(f"/etc/{name}")
            machine.run("cp", f"/root/{name}", f"/etc/{name}")
        files = [machine.copy(path) for path in packages()]
        machine.run("apt-get", "update", is_let_out=True)
        needed = subprocess.run(["dpkg-deb", "-f", packages()[-1] if "dev" not in packages()[-1] else packages()[0], "Depends"],
                                capture_output=True, text=True).stdout
        machine.run("apt-get", "install", "-y", "--no-install-recommends", "iproute2",
                    *[word.split()[0] for word in needed.split(",")], timeout=500, is_let_out=True)
        # As if that root had always had them.
        machine.settle()
    else:
        files = [machine.copy(path) for path in packages()]
    before = machine.changes()

    machine.run("dpkg", "-i", *files)
    assert "RFC 8684" in machine.run("braid", "version").stdout
    assert machine.run("getent", "passwd", "braid").stdout.split(":")[6].strip() == "/usr/sbin/nologin"
    assert "all right" in machine.run("braid", "config", "check").stdout
    assert machine.run("test", "-f", "/usr/share/man/man1/braid-run.1.gz").returncode == 0
    assert machine.run("test", "-f", "/usr/include/braid/plugin.h").returncode == 0
    # The daemon, as its unit would run it; a program; and a clean end.
    machine.run("sh", "-c", "ip link add up0 type veth peer name up1 && ip addr add 192.0.2.1/24 dev up0 && ip link set up0 up && ip link set up1 up")
    script = r"""
mkdir -p /run/braid; chown braid:braid /run/braid
setpriv --reuid braid --regid braid --clear-groups --inh-caps=+net_admin,+net_raw,+net_bind_service \
  --ambient-caps=+net_admin,+net_raw,+net_bind_service --bounding-set=-all,+net_admin,+net_raw,+net_bind_service braid daemon &
pid=$!
for i in $(seq 100); do test -S /run/braid/braid.sock.app && break; sleep 0.1; done
stat -c '%U:%G %a' /run/braid/braid.sock
setpriv --reuid nobody --regid braid --clear-groups braid run -- cat /etc/passwd >/dev/null; echo member $?
setpriv --reuid nobody --regid nogroup --clear-groups braid run -- cat /etc/passwd >/dev/null; echo other $?
setpriv --reuid nobody --regid nogroup --clear-groups braid ss >/dev/null 2>&1; echo other asks $?
setpriv --reuid nobody --regid braid --clear-groups braid ss --json | grep -c connections
kill $pid; wait $pid; echo daemon $?
"""
    out = machine.run("sh", "-c", script, timeout=60)
    assert out.stdout.splitlines() == ["braid:braid 660", "member 0", "other 0", "other asks 1", "1", "daemon 0"], out.stdout + out.stderr

    machine.run("dpkg", "--remove", "braid-dev", "braid")
    assert machine.run("test", "-e", "/etc/braid/braid.toml").returncode == 0, "configuration stays until it is purged"
    assert machine.run("test", "-e", "/usr/bin/braid", check=False).returncode != 0
    machine.run("dpkg", "--purge", "braid-dev", "braid")
    after = machine.changes()
    assert after[0] == before[0]
    assert after[1] == before[1], "accounts"


def test_lintian_finds_no_error():
    if shutil.which("lintian") is None:
        pytest.skip("needs lintian")
    # Not ours to mend: the maintainer's address is whoever's who distributes it; nothing was uploaded that could close a bug.
    suppressed = "bogus-mail-host,bogus-mail-host-in-debian-changelog,initial-upload-closes-no-bugs"
    done = subprocess.run(["lintian", "--allow-root", "--suppress-tags", suppressed, "--fail-on", "error,warning", *packages()],
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_the_unit_is_sound_and_hardened(tmp_path):
    text = open(os.path.join(ROOT, "packaging", "braid.service")).read()
    unit = tmp_path / "braid.service"
    # verify wants the program to be there.
    unit.write_text(text.replace("/usr/bin/braid", os.path.join(BUILD, "bin", "braid")))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr.strip(), done.stderr
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=30", str(unit)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
