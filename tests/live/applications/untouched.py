"""What is no TCP: Braid leaves it to the kernel."""

import contextlib
import os
import subprocess

import lab
from applications.languages import PROGRAMS, PYTHON, expect_right
from applications.registry import application
from applications.stage import expect

TRY = os.path.join(PROGRAMS, "untouched.py")
DNS_PORT = 53  # the only one that resolv.conf can mean


@contextlib.contextmanager
def without_tcp(stage):
    """What runs in the block makes no TCP connection through Braid."""
    def made():
        return [host.counters().get("TcpActiveOpens", 0) for host in stage.braid_hosts]
    before = made()
    yield
    expect(made() == before, lambda: f"Braid made connections: {before}, then {made()}")


@application("udp", program="UDP", version=[PYTHON, "--version"], roles=("client", "both"), quick=True)
def udp(stage):
    """datagrams of 0 to 30,000 octets to an echo server and back, connected and not"""
    port = stage.port()
    with stage.server.serve(PYTHON, TRY, "serve", stage.server.address, port, stage.port(), port=None), without_tcp(stage):
        wait_for_udp(stage, port)
        expect_right(stage.client.run(PYTHON, TRY, "udp", stage.server.address, port), "UDP")


def wait_for_udp(stage, port):
    lab.wait_for(lambda: f":{port} " in stage.net.server.run("ss", "-Hlun"), what="the UDP server")


@application("unix", program="Unix sockets", version=[PYTHON, "--version"], roles=("client",), quick=True)
def unix(stage):
    """stream, SOCK_SEQPACKET, credentials, a descriptor passed on"""
    with without_tcp(stage):
        expect_right(stage.client.run(PYTHON, TRY, "unix"), "Unix sockets")


@application("netlink", program="netlink", version=["ip", "-V"], roles=("client",), quick=True)
def netlink(stage):
    """RTM_GETADDR by hand; `ip addr` and `ss` say the same as without Braid"""
    with without_tcp(stage):
        expect_right(stage.client.run(PYTHON, TRY, "netlink", stage.client.address), "netlink")
        for words in (["ip", "-o", "addr"], ["ss", "-Hlun"]):
            ours, theirs = stage.client.run(*words), stage.client.loopback(*words)
            expect(ours == theirs, lambda: f"{words}: {ours} in place of {theirs}")


@application("dns", program="DNS (libc's resolver)", version=[PYTHON, "--version"], roles=("client", "both"), quick=True)
def dns(stage):
    """a name over UDP; one whose answer was cut, over TCP: libc makes that socket inside itself, and it stays the kernel's"""
    port = stage.port()
    with stage.place() as place, stage.server.serve(PYTHON, TRY, "serve", stage.server.address, port, DNS_PORT, port=None,
                                                    on_stack=False), without_tcp(stage):
        wait_for_udp(stage, DNS_PORT)
        with open(f"{place}/resolv.conf", "w") as file:
            file.write(f"nameserver {stage.server.address}\noptions timeout:2 attempts:3\n")
        # `ip netns exec` has made a mount namespace.
        script = f'mount --bind {place}/resolv.conf /etc/resolv.conf && exec "$@"'
        words = stage.client.side.command("sh", "-c", script, "sh")
        prefix = stage.client.words(PYTHON, TRY, "dns")[len(stage.client.side.command()):]
        done = subprocess.run([*words, *prefix], capture_output=True, text=True, timeout=60, env=stage.client.environment)
        expect_right(done.stdout + done.stderr, "DNS")
