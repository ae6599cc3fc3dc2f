"""A middlebox changes payload, and checksums are on: MP_FAIL. With one subflow the connection goes on as plain TCP, with the
middlebox's octets in it, after an infinite mapping; with two the one that cannot be trusted is reset, and not a byte is wrong."""

import pytest

import lab
from conversation import Conversation
from talker import BLOCK, FIRST_NEEDLE, NEEDLE
from wires import Wires

ROLES = ["client", "server"]
OTHER = "++NEEDLE++"
CHECKSUMS = {"braid_options": {"checksum": True, "congestion_control": "reno"}, "kernel_options": {"checksum": True}}
CLEAN = FIRST_NEEDLE * BLOCK  # octets before there is anything to find


def rewriter(sender_role, **more):
    return {"kind": "payload-rewriter", "find": NEEDLE.decode(), "replace": OTHER,
            "direction": "forward" if sender_role == "client" else "backward", **more}


def other_role(role):
    return "server" if role == "client" else "client"


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("receiver", ["kernel", "braid"])
def test_on_the_only_subflow_the_connection_falls_back(receiver, role):
    sender_role = role if receiver == "kernel" else other_role(role)
    with Wires(1, rewriter(sender_role)) as net, Conversation(net, role, interfaces=["path0"], **CHECKSUMS) as talk:
        assert talk.braid.connection()["is_checksummed"]
        sender, reader = (talk.ours, talk.peer) if receiver == "kernel" else (talk.peer, talk.ours)
        reader.do("replaced", "replaced", OTHER)
        # What is changed travels alone, and so does the infinite mapping: with more on the way two kernels don't get over it
        # either (docs/linux-peer.md).
        for size in (CLEAN - 1000, 4000, 1000, 8 * BLOCK):
            talk.send(sender, size)
            talk.read(reader, size)
            if size == 4000:
                talk.wait_for_kernel(MPFailRx=1)
        # The other direction is plain TCP now, too.
        talk.send(reader, size)
        talk.read(sender, size)
        kernel, braid = talk.kernel.counters(), talk.braid.counters()
        bad, good = (kernel, braid) if receiver == "kernel" else (braid, kernel)
        assert bad["DataCsumErr"] == 1, (kernel, braid)
        assert bad["MPFailTx"] >= 1 and good["MPFailRx"] >= 1, (kernel, braid)
        assert good["InfiniteMapTx"] >= 1 and bad["InfiniteMapRx"] >= 1, (kernel, braid)
        assert "DSSCorruptionReset" not in kernel and "DSSCorruptionReset" not in braid, (kernel, braid)
        connection = talk.braid.connection()
        assert connection["multipath"] == "fallback", connection
        talk.finish()


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("receiver", ["kernel", "braid"])
def test_one_of_two_subflows_is_reset(receiver, role):
    sender_role = role if receiver == "kernel" else other_role(role)
    with Wires(2, rewriter(sender_role), rate="40 Mbit/s") as net, \
            Conversation(net, role, interfaces=["path0", "path1"], **CHECKSUMS) as talk:
        talk.announce(talk.kernel, talk.kernel_side.address(1))
        talk.wait_for_subflows(2)
        sender, reader = (talk.ours, talk.peer) if receiver == "kernel" else (talk.peer, talk.ours)
        size = 40 * BLOCK
        talk.send(sender, size)
        talk.read(reader, size)
        kernel, braid = talk.kernel.counters(), talk.braid.counters()
        bad, good = (kernel, braid) if receiver == "kernel" else (braid, kernel)
        assert bad["DataCsumErr"] >= 1, (kernel, braid)
        assert bad["MPFailTx"] >= 1 and good["MPFailRx"] >= 1, (kernel, braid)
        for counters in (kernel, braid):
            assert "InfiniteMapTx" not in counters and "DSSCorruptionFallback" not in counters, (kernel, braid)
        assert talk.braid.connection()["multipath"] == "established"
        talk.send(reader, size)
        talk.read(sender, size)
        talk.finish()
