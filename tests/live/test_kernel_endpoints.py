"""Addresses, endpoints and limits change while a connection to the kernel runs, on its side (`ip mptcp`) and on Braid's: subflows
come, go and change their priority, and not a byte is wrong."""

import pytest

import lab
from conversation import Conversation, host_of

ROLES = ["client", "server"]
SIZE = 1 << 20


def carried(subflow):
    return subflow["data_sent_bytes"] + subflow["data_received_bytes"]


def wait_until_used(talk, address):
    """The path by that address of Braid's or the kernel's carries data."""
    def is_used():
        talk.exchange(SIZE)
        path = talk.subflow_between(local=address) or talk.subflow_between(remote=address)
        return path is not None and carried(path) > SIZE // 8
    lab.wait_for(is_used, what=f"data by {address}")


def priority_follows(talk, endpoint, path, counters):
    """`endpoint change` to backup and back. path(): the subflow, as Braid sees it; counters(): who gets MP_PRIO."""
    before = counters().get("MPPrioRx", 0)
    for flag, is_backup in (("backup", True), ("nobackup", False)):
        talk.exchange(SIZE, lambda: endpoint("change", *talk.changed, flag))
        lab.wait_for(lambda: path()["is_backup"] == is_backup, what=flag)
        lab.wait_for(lambda: counters().get("MPPrioRx", 0) > before, what="MP_PRIO")
        before = counters()["MPPrioRx"]
        if is_backup:
            idle = path()["data_sent_bytes"]
            talk.exchange(SIZE)
            assert path()["data_sent_bytes"] == idle, "Braid sends on a backup path"


@pytest.mark.parametrize("role", ROLES)
def test_the_kernels_endpoint_comes_changes_and_goes(role):
    """As a client the kernel joins from it; as a server it announces it, and Braid joins."""
    with lab.Lab(2) as net, Conversation(net, role, routed="client") as talk:
        address, flag = talk.kernel_side.address(1), "signal" if role == "client" else "subflow"
        add = lambda: talk.kernel.endpoint("add", address, "dev", "path1", "id", 5, flag)  # noqa: E731
        talk.exchange(SIZE, add)
        talk.wait_for_subflows(2)
        if role == "client":
            talk.wait_for_kernel(AddAddrTx=1, EchoAdd=1, MPJoinSynRx=1, MPJoinAckRx=1)
        else:
            talk.wait_for_kernel(MPJoinSynTx=1, MPJoinSynAckRx=1)
        assert talk.subflow_between(remote=address)["remote_id"] == 5
        wait_until_used(talk, address)
        talk.changed = ["id", 5]
        priority_follows(talk, talk.kernel.endpoint, lambda: talk.subflow_between(remote=address), talk.braid.counters)
        talk.exchange(SIZE, lambda: talk.kernel.endpoint("delete", "id", 5))
        talk.wait_for_subflows(1)
        talk.wait_for_braid(RmAddr=1)
        talk.wait_for_kernel(RmAddrTx=1)
        talk.exchange(SIZE, add)
        talk.wait_for_subflows(2)
        wait_until_used(talk, address)
        talk.finish()
        talk.assert_clean()


@pytest.mark.parametrize("role", ROLES)
def test_braids_endpoint_comes_changes_and_goes(role):
    with lab.Lab(2) as net, Conversation(net, role, routed="client") as talk:
        address, flag = talk.braid_side.address(1), "subflow" if role == "client" else "signal"
        add = lambda: talk.braid.endpoint("add", address, "dev", "path1", "id", 5, flag)  # noqa: E731
        talk.exchange(SIZE, add)
        talk.wait_for_subflows(2)
        if role == "client":
            talk.wait_for_kernel(MPJoinSynRx=1, MPJoinAckRx=1)
        else:
            talk.wait_for_kernel(AddAddr=1, EchoAddTx=1, MPJoinSynTx=1, MPJoinSynAckRx=1)
        assert talk.subflow_between(local=address)["local_id"] == 5
        wait_until_used(talk, address)
        talk.changed = ["id", 5]
        priority_follows(talk, talk.braid.endpoint, lambda: talk.subflow_between(local=address), talk.kernel.counters)
        talk.exchange(SIZE, lambda: talk.braid.endpoint("delete", "id", 5))
        talk.wait_for_subflows(1)
        talk.wait_for_braid(RmAddrTx=1)
        talk.wait_for_kernel(RmAddr=1)
        talk.exchange(SIZE, add)
        talk.wait_for_subflows(2)
        wait_until_used(talk, address)
        talk.finish()
        talk.assert_clean()


def test_the_kernels_server_joins_too():
    """From a subflow endpoint of its own to the address and port that Braid connected from."""
    with lab.Lab(2) as net, Conversation(net, "client", routed="server") as talk:
        talk.exchange(SIZE, lambda: talk.kernel.endpoint("add", net.server.address(1), "dev", "path1", "subflow"))
        talk.wait_for_subflows(2)
        talk.wait_for_kernel(MPJoinSynTx=1, MPJoinSynAckRx=1)
        first, second = talk.subflows()
        assert first["local"] == second["local"] and host_of(second["remote"]) == net.server.address(1)
        talk.exchange(SIZE)
        talk.finish()
        talk.assert_clean()


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("who", ["kernel", "braid"])
def test_the_initial_address_may_go(who, role):
    """REMOVE_ADDR of ID 0: the connection lives on, over the other address."""
    with lab.Lab(2) as net, Conversation(net, role) as talk:
        if who == "kernel":
            remove = lambda: talk.kernel.endpoint("delete", "id", 0, talk.kernel_side.address(0))  # noqa: E731
        else:
            talk.braid.endpoint("add", talk.braid_side.address(0), "dev", "path0", "id", 9, "subflow")
            remove = lambda: talk.braid.endpoint("delete", "id", 9)  # noqa: E731
        talk.announce(talk.kernel, talk.kernel_side.address(1))
        talk.wait_for_subflows(2)
        talk.exchange(SIZE, remove)
        left, = talk.wait_for_subflows(1)
        assert not left["is_initial"] and host_of(left["remote"]) == talk.kernel_side.address(1)
        (talk.wait_for_braid if who == "kernel" else talk.wait_for_kernel)(RmAddr=1)
        talk.exchange(SIZE)
        talk.finish()
        talk.assert_clean()


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("who", ["kernel", "braid"])
def test_a_fullmesh_endpoint_reaches_every_address_of_the_peer(who, role):
    """One side announces its addresses; the other's fullmesh endpoint then has a path to each of the two."""
    mesher_side = role if who == "braid" else ROLES[role == "client"]
    with lab.Lab(2) as net, Conversation(net, role, routed=mesher_side) as talk:
        mesher, announcer = (talk.kernel, talk.braid) if who == "kernel" else (talk.braid, talk.kernel)
        talk.announce(announcer, announcer.side.address(1))
        # The kernel's client cannot be joined where it connected from.
        if announcer is talk.kernel and role == "server":
            talk.announce(announcer, announcer.side.address(0), path=0)
        lab.wait_for(lambda: len(talk.subflows()) > 1, what="a path to what was announced")
        talk.exchange(SIZE, lambda: mesher.endpoint("add", mesher.side.address(1), "dev", "path1", "subflow", "fullmesh"))
        ours, theirs = ("local", "remote") if who == "braid" else ("remote", "local")
        expected = {(mesher.side.address(1), announcer.side.address(path)) for path in (0, 1)}
        pairs = lambda: {(host_of(s[ours]), host_of(s[theirs])) for s in talk.subflows()}  # noqa: E731
        try:
            lab.wait_for(lambda: expected <= pairs(), what=f"{expected}")
        except TimeoutError as error:
            raise AssertionError(f"{error}: {pairs()}\nBraid: {talk.braid.counters()}\nkernel: {talk.kernel.counters()}") from error
        talk.exchange(SIZE)
        talk.exchange(SIZE, lambda: mesher.endpoint("delete", "id", mesher.id_of(mesher.side.address(1))))
        lab.wait_for(lambda: not any(pair[0] == mesher.side.address(1) for pair in pairs()), what="their end")
        talk.finish()
        talk.assert_clean()


def test_braids_limits_hold_what_comes_after():
    with lab.Lab(3) as net, Conversation(net, "client", routed="client", braid_options={"limit": 0}) as talk:
        talk.kernel.endpoint("add", net.server.address(1), "dev", "path1", "signal")
        talk.wait_for_braid(AddAddr=1)
        talk.braid.endpoint("add", net.client.address(1), "dev", "path1", "subflow")
        talk.exchange(SIZE)
        assert len(talk.subflows()) == 1 and "MPJoinSynRx" not in talk.kernel.counters()
        assert talk.braid.limits("set", "subflows", 1).split() == ["subflows", "1", "add_addr_accepted", "0"]
        talk.braid.endpoint("add", net.client.address(2), "dev", "path2", "subflow")
        talk.wait_for_subflows(2)
        talk.exchange(SIZE)
        assert talk.kernel.counters()["MPJoinSynRx"] == 1
        talk.finish()
        talk.assert_clean()


def test_the_kernels_limits_refuse_a_join_and_nothing_else():
    """Braid tries again by itself: when one of the kernel's places becomes free, the refused path has it."""
    with lab.Lab(3) as net, Conversation(net, "client", routed="client", kernel_options={"limit": 1}) as talk:
        talk.braid.endpoint("add", net.client.address(1), "dev", "path1", "id", 1, "subflow")
        talk.wait_for_subflows(2)
        talk.exchange(SIZE, lambda: talk.braid.endpoint("add", net.client.address(2), "dev", "path2", "id", 2, "subflow"))
        talk.wait_for_kernel(MPJoinRejected=1)
        talk.exchange(SIZE)
        assert len(talk.subflows()) == 2
        talk.braid.endpoint("delete", "id", 1)
        lab.wait_for(lambda: talk.subflow_between(local=net.client.address(2)), what="the path that was refused")
        talk.exchange(SIZE)
        assert len(talk.subflows()) == 2
        talk.finish()
        talk.assert_clean()


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("first", [4, 6])
@pytest.mark.parametrize("who", ["kernel", "braid"])
def test_paths_of_both_families_in_one_connection(who, first, role):
    other = 10 - first
    # An IPv6 address with a port has no room beside timestamps in the kernel's ADD_ADDR: it sends none then.
    options = {"timestamps": not (who == "kernel" and role == "server" and other == 6)}
    with lab.Lab(2) as net, Conversation(net, role, first, is_mixed=True, kernel_options=options) as talk:
        announcer = talk.kernel if who == "kernel" else talk.braid
        address = announcer.side.address(1, other)
        talk.exchange(SIZE, lambda: talk.announce(announcer, address))
        talk.wait_for_subflows(2)
        assert {":" in host_of(s["local"]) for s in talk.subflows()} == {False, True}
        wait_until_used(talk, address)
        talk.finish()
        talk.assert_clean()
