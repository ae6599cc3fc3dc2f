"""What a socket does under Braid, beside the same program on the kernel's TCP: one set of assertions for both
(semantics/*.cc); the other end is the kernel's (semantics/puppet.py)."""

import json
import os
import subprocess

import pytest

import lab

PROGRAM = os.path.join(lab.BUILD, "bin", "socket_semantics")
PUPPET = os.path.join(lab.HERE, "semantics", "puppet.py")
PORT = 7000
CASES = lab.run(PROGRAM, "--list").split() if os.path.exists(PROGRAM) else []


def verdicts_on(stack):
    """All cases on one stack, some at a time, in one go: a case's name, and what it said."""
    with lab.Lab(2) as net:
        net.server.use_kernel_mptcp(signal=True)
        # Subflows are the program's to open: they come to the listener's port, which a case may have silenced.
        net.server.run("ip", "mptcp", "limits", "set", "subflows", 8, "add_addr_accepted", 0)
        puppet = net.server.start("/usr/bin/python3", PUPPET, net.client.address(0, 6), PORT, stderr=subprocess.DEVNULL)
        assert puppet.stdout.readline().startswith(b"listening")
        words = lab.braid_run() if stack == "braid" else []
        done = subprocess.run(net.client.command(*words, PROGRAM, net.server.address(), PORT, stack), capture_output=True, text=True,
                              timeout=180)
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert lines, done.stderr
        return {line["case"]: line for line in lines}


# All cases of a stack run at once, so they are one test: what failed is in its message.
@pytest.mark.parametrize("stack", ["kernel", "braid"])
def test_sockets(stack):
    seen = verdicts_on(stack)
    assert sorted(seen) == sorted(CASES)
    assert not [f"{name}: {seen[name]['why']}" for name in CASES if not seen[name]["ok"]]
