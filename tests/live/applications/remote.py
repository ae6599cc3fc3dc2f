"""OpenSSH, and what runs over it."""

import contextlib
import os
import random

import lab
from applications.registry import application
from applications.servers import nginx
from applications.stage import expect, expect_same, make_file, sha256

MB = 1 << 20


@contextlib.contextmanager
def sshd(stage, place):
    """A server; the words of ssh's options for it."""
    port = stage.port()
    for name in ("host", "id"):
        lab.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{place}/{name}")
    lab.run("cp", f"{place}/id.pub", f"{place}/authorized")
    os.makedirs("/run/sshd", exist_ok=True)
    with stage.server.serve("/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-p", port, "-h", f"{place}/host",
                            "-o", f"AuthorizedKeysFile={place}/authorized", "-o", "StrictModes=no", "-o", f"PidFile={place}/sshd.pid",
                            "-o", "UsePAM=no", "-o", "PermitRootLogin=yes", "-o", "Subsystem=sftp internal-sftp", port=port):
        yield ["-o", f"Port={port}", "-i", f"{place}/id", "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={place}/known",
               "-o", "BatchMode=yes", "-o", "LogLevel=ERROR"]


@application("ssh", program="ssh, sshd", version=["ssh", "-V"], quick=True)
def ssh(stage):
    """a command, 16 MB through a pipe each way (cat), and a forwarded port (-L) that carries 8 MB"""
    with stage.place() as place, sshd(stage, place) as options:
        there = f"root@{stage.server.address}"
        said = stage.client.run("ssh", *options, there, "echo over the wire; exit 7", check=False)
        expect(said == "over the wire\n", f"ssh: {said!r}: {stage.client.last_errors}")
        path, digest = make_file(place, "file", 16 * MB)
        with open(path, "rb") as file:
            stage.client.run("ssh", *options, there, f"cat > {place}/up", stdin=file)
        expect_same(f"{place}/up", digest, "ssh, up")
        stage.client.run("sh", "-c", 'out=$1; shift; "$@" > "$out"', "sh", f"{place}/down", "ssh", *options, there, f"cat {path}")
        expect_same(f"{place}/down", digest, "ssh, down")
        forward(stage, place, options, there)


def forward(stage, place, options, there):
    _, digest = make_file(place, "page", 8 * MB)
    local = stage.port()
    with nginx(stage, place, on_stack=False) as (port, _):
        with stage.client.serve("ssh", *options, "-N", "-L", f"127.0.0.1:{local}:127.0.0.1:{port}", there):
            lab.wait_for(lambda: f":{local} " in stage.client.side.run("ss", "-Hltn"), what="the forwarded port")
            stage.client.loopback("curl", "-sSf", "-o", f"{place}/copy", f"http://127.0.0.1:{local}/page")
            expect_same(f"{place}/copy", digest, "ssh -L")


@application("scp", program="scp, sshd", version=["ssh", "-V"])
def scp(stage):
    """32 MB each way, by SFTP and by the old protocol (-O)"""
    with stage.place() as place, sshd(stage, place) as options:
        path, digest = make_file(place, "file", 32 * MB)
        there = f"root@{stage.server.address}"
        for words in ([], ["-O"]):
            stage.client.run("scp", *words, *options, path, f"{there}:{place}/up")
            expect_same(f"{place}/up", digest, "scp, up")
            stage.client.run("scp", *words, *options, f"{there}:{path}", f"{place}/down")
            expect_same(f"{place}/down", digest, "scp, down")


def make_tree(place, files):
    noise = random.Random(files)
    for number in range(files):
        directory = os.path.join(place, f"d{number % 20}")
        os.makedirs(directory, exist_ok=True)
        with open(os.path.join(directory, f"f{number}"), "wb") as file:
            file.write(noise.randbytes(noise.randrange(1, 40_000)))


def tree_of(place):
    return {os.path.relpath(os.path.join(at, name), place): sha256(os.path.join(at, name))
            for at, _, names in os.walk(place) for name in names if "/.git" not in at}


@application("rsync", version=["rsync", "--version"], needs=["rsync"])
def rsync(stage):
    """300 files up and down over ssh, then again after some have changed; and from and to an rsync daemon"""
    with stage.place() as place, sshd(stage, place) as options:
        tree = os.path.join(place, "tree")
        make_tree(tree, 300)
        shell = " ".join(["ssh", *options])
        there = f"root@{stage.server.address}"
        stage.client.run("rsync", "-a", "-e", shell, f"{tree}/", f"{there}:{place}/up/")
        expect(tree_of(f"{place}/up") == tree_of(tree), "rsync, up: not the same files")
        make_tree(f"{tree}/more", 40)
        stage.client.run("rsync", "-a", "--checksum", "-e", shell, f"{there}:{tree}/", f"{place}/up/")
        expect(tree_of(f"{place}/up") == tree_of(tree), "rsync, again: not the same files")
        with open(f"{place}/rsyncd.conf", "w") as file:
            file.write(f"use chroot = yes\nuid = root\ngid = root\n[module]\npath = {place}\nread only = no\n")
        port = stage.port()
        with stage.server.serve("rsync", "--daemon", "--no-detach", f"--config={place}/rsyncd.conf", f"--port={port}", port=port):
            module = f"rsync://{stage.server.address}:{port}/module"
            stage.client.run("rsync", "-a", f"{module}/tree/", f"{place}/down/")
            expect(tree_of(f"{place}/down") == tree_of(tree), "rsync daemon, down: not the same files")
            stage.client.run("rsync", "-a", f"{tree}/", f"{module}/daemon-up/")
            expect(tree_of(f"{place}/daemon-up") == tree_of(tree), "rsync daemon, up: not the same files")


@application("git", program="git over ssh", version=["git", "--version"], needs=["git"])
def git(stage):
    """clone of a repository with 200 files, and a push"""
    with stage.place() as place, sshd(stage, place) as options:
        work = os.path.join(place, "work")
        make_tree(work, 200)
        me = ["-c", "user.name=braid", "-c", "user.email=braid@example.org", "-c", "init.defaultBranch=main",
              "-c", "safe.directory=*"]
        in_work = ["git", *me, "-C", work]
        for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "All"]):
            lab.run(*in_work, *words)
        lab.run("git", "clone", "-q", "--bare", work, f"{place}/bare.git")
        shell = {"GIT_SSH_COMMAND": " ".join(["ssh", *options])}
        url = f"ssh://root@{stage.server.address}{place}/bare.git"
        stage.client.run("git", *me, "clone", "-q", url, f"{place}/clone", environment=shell)
        expect(tree_of(f"{place}/clone") == tree_of(work), "git clone: not the same files")
        make_tree(f"{place}/clone/more", 50)
        for words in (["add", "."], ["commit", "-qm", "More"]):
            lab.run("git", *me, "-C", f"{place}/clone", *words)
        stage.client.run("git", *me, "-C", f"{place}/clone", "push", "-q", "origin", "main", environment=shell)
        ours = lab.run("git", "-C", f"{place}/clone", "rev-parse", "HEAD")
        expect(lab.run("git", "-C", f"{place}/bare.git", "rev-parse", "main") == ours, "git push: the server has another head")
        lab.run("git", "-C", f"{place}/bare.git", "fsck", "--full")
