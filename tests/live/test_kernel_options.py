"""What the two sides agree on, with the kernel: ports in ADD_ADDR, no joins to the initial address, checksums that one side asks
for, and an end at once (MP_FASTCLOSE)."""

import pytest

import lab
from conversation import Conversation, host_of, port_of

ROLES = ["client", "server"]
SIZE = 1 << 20
OTHER_PORT = 9443


def announce_port(talk, stack, path=1):
    stack.endpoint("add", stack.side.address(path), "dev", f"path{path}", "id", 6, "signal", "port", OTHER_PORT)


@pytest.mark.parametrize("role", ROLES)
def test_braid_joins_at_the_port_that_the_kernel_announces(role):
    with lab.Lab(2) as net, Conversation(net, role) as talk:
        talk.exchange(SIZE, lambda: announce_port(talk, talk.kernel))
        talk.wait_for_subflows(2)
        joined = talk.subflow_between(remote=talk.kernel_side.address(1))
        assert port_of(joined["remote"]) == OTHER_PORT and joined["remote_id"] == 6
        talk.wait_for_kernel(AddAddrTx=1, EchoAdd=1, PortAdd=1, MPJoinPortSynRx=1, MPJoinPortAckRx=1)
        talk.exchange(SIZE)
        talk.exchange(SIZE, lambda: talk.kernel.endpoint("delete", "id", 6))
        talk.wait_for_subflows(1)
        talk.finish()
        talk.assert_clean()


@pytest.mark.parametrize("path", [0, 1], ids=["initial-address", "other-address"])
@pytest.mark.parametrize("role", ROLES)
def test_the_kernel_joins_at_the_port_that_braid_announces(role, path):
    """No program of Braid's listens there: the packets come to it because the port is announced."""
    with lab.Lab(2) as net, Conversation(net, role) as talk:
        talk.exchange(SIZE, lambda: announce_port(talk, talk.braid, path))
        talk.wait_for_subflows(2)
        joined, = (s for s in talk.subflows() if not s["is_initial"])
        assert joined["local"] == f"{talk.braid_side.address(path)}:{OTHER_PORT}" and joined["local_id"] == 6
        talk.wait_for_kernel(AddAddr=1, PortAdd=1, EchoAddTx=1, MPJoinSynTx=1, MPJoinSynAckRx=1)
        talk.exchange(SIZE)
        # Only what was announced goes, and not the initial subflow, though it may have the same address.
        talk.exchange(SIZE, lambda: talk.braid.endpoint("delete", "id", 6))
        talk.wait_for_subflows(1)
        assert talk.subflows()[0]["is_initial"]
        talk.wait_for_kernel(RmAddr=1)
        talk.exchange(SIZE)
        talk.finish()
        talk.assert_clean()


def test_a_port_that_the_kernel_has_is_refused():
    with lab.Lab(2) as net, Conversation(net, "client") as talk:
        code = f"import socket, sys; s = socket.create_server(('0.0.0.0', {OTHER_PORT})); print('ready', flush=True); sys.stdin.read()"
        holder = net.client.start("/usr/bin/python3", "-c", code, stdin=lab.subprocess.PIPE)
        assert holder.stdout.readline() == b"ready\n"
        with pytest.raises(RuntimeError, match="Address already in use"):
            announce_port(talk, talk.braid)
        assert talk.braid.call("endpoint", "show").strip() == ""
        talk.exchange(SIZE)
        talk.finish()


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("asking", ["kernel", "braid"])
def test_one_side_alone_asks_for_checksums(asking, role):
    options = {"braid_options": {"checksum": True}} if asking == "braid" else {"kernel_options": {"checksum": True}}
    with lab.Lab(2) as net, Conversation(net, role, **options) as talk:
        assert talk.braid.connection()["is_checksummed"]
        talk.announce(talk.kernel, talk.kernel_side.address(1))
        talk.wait_for_subflows(2)
        for _ in range(4):
            talk.exchange(SIZE)
        talk.finish()
        # Had one of them not put checksums on, or wrong ones, the other would have counted it.
        talk.assert_clean()


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("denying", ["kernel", "braid"])
def test_nobody_joins_at_an_initial_address_that_is_denied(denying, role):
    """Flag C: the other side, though it has an endpoint to join from, waits for an address to be announced."""
    options = {"kernel_options": {"allow_join_initial": False}} if denying == "kernel" else {"braid_options": {"deny_join_initial": True}}
    joining_side = role if denying == "kernel" else ROLES[role == "client"]
    with lab.Lab(2) as net, Conversation(net, role, routed=joining_side, **options) as talk:
        denier, joiner = (talk.kernel, talk.braid) if denying == "kernel" else (talk.braid, talk.kernel)
        talk.exchange(SIZE, lambda: joiner.endpoint("add", joiner.side.address(1), "dev", "path1", "subflow"))
        talk.exchange(SIZE)
        talk.exchange(SIZE, lambda: talk.announce(denier, denier.side.address(1)))
        talk.wait_for_subflows(2)
        talk.exchange(SIZE)
        joined, = (s for s in talk.subflows() if not s["is_initial"])
        assert denier.side.address(1) in (host_of(joined["local"]), host_of(joined["remote"]))
        # Without the flag there would have been one to the initial address before.
        assert joiner.counters()["MPJoinSynTx"] == 1, joiner.counters()
        assert denier.counters().get("MPJoinRejected", 0) == 0
        talk.finish()
        talk.assert_clean()


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("who", ["kernel", "braid"])
def test_an_abort_ends_the_other_side_at_once(who, role, family):
    """SO_LINGER of 0 becomes MP_FASTCLOSE, and the other program has ECONNRESET, with two subflows up."""
    with lab.Lab(2) as net, Conversation(net, role, family) as talk:
        talk.announce(talk.kernel, talk.kernel_side.address(1))
        talk.wait_for_subflows(2)
        talk.exchange(SIZE)
        aborting, other = (talk.peer, talk.ours) if who == "kernel" else (talk.ours, talk.peer)
        aborting.tell("abort")
        error, seconds = other.do("", "end").split()
        assert error == "ECONNRESET" and float(seconds) < 1, (error, seconds)
        aborting.expect("closed")
        sender, receiver = (talk.wait_for_kernel, talk.wait_for_braid) if who == "kernel" else (talk.wait_for_braid, talk.wait_for_kernel)
        sender(MPFastcloseTx=1)
        receiver(MPFastcloseRx=1)
        # Nothing is left of it.
        lab.wait_for(lambda: '"connections": []' in talk.braid.call("ss", "--json"), what="the end at Braid")
        lab.wait_for(lambda: "ESTAB" not in talk.kernel_side.run("ss", "-HtanM"), what="the end at the kernel")
        talk.assert_clean("MPFastcloseTx", "MPFastcloseRx")
