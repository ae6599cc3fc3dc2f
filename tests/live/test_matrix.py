"""Bytes both ways between Braid and the kernel, over one to three paths; the kernel's counters say what it saw."""

import json

import pytest

import lab

BYTES = 64 << 20


def stack(side, kind, is_server, checksum):
    """The words in front of a program that put it on Braid or on the kernel's MPTCP."""
    if kind == "braid":
        return lab.braid_run(*(["--checksum"] if checksum else []))
    side.use_kernel_mptcp(signal=is_server, checksum=checksum)
    return lab.MPTCPIZE


def exchange(net, client_words, server_words, family, size=BYTES):
    address = net.server.address(0, family)
    server = net.server.start(*server_words, *lab.PEER, "server", address, 8080, "--bytes", size)
    line = server.stdout.readline()
    assert line == b"listening\n", line + server.stderr.read()
    client = net.client.start(*client_words, *lab.PEER, "client", address, 8080, "--bytes", size)
    results = []
    for process in (client, server):
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, (out, err)
        results.append(json.loads(out.splitlines()[-1]))
    for result in results:
        assert result["ok"] and result["received"] == size and result["sent"] == size
    return results


def joins_of(counters):
    """Subflows that came up besides the first, whoever opened them."""
    return counters.get("MPTcpExtMPJoinAckRx", 0) + counters.get("MPTcpExtMPJoinSynAckRx", 0)


def assert_clean(counters, paths):
    """What the kernel must, and must not, have seen."""
    assert joins_of(counters) >= paths - 1, counters
    for bad in ("MPCapableFallbackACK", "MPCapableFallbackSYNACK", "MPFallbackTokenInit", "DataCsumErr", "DSSNotMatching",
                "DSSCorruptionFallback", "DSSCorruptionReset", "InfiniteMapRx", "DSSNoMatchTCP", "MPFailRx", "MPFailTx",
                "MPJoinSynAckHMacFailure", "MPJoinAckHMacFailure", "MPFastcloseRx", "MPRstRx"):
        assert counters.get("MPTcpExt" + bad, 0) == 0, (bad, counters)


@pytest.mark.parametrize("paths", [1, 2, 3])
@pytest.mark.parametrize("checksum", [False, True], ids=["plain", "checksum"])
@pytest.mark.parametrize("family", [4, 6], ids=["v4", "v6"])
@pytest.mark.parametrize("pair", ["braid-kernel", "kernel-braid", "braid-braid"])
def test_both_ways(pair, family, checksum, paths):
    client_kind, server_kind = pair.split("-")
    # Slow enough that an announcement which the kernel dropped, and is repeated after a second, still matters.
    with lab.Lab(paths, rates=[200] * paths if paths > 1 else None) as net:
        client_words = stack(net.client, client_kind, False, checksum)
        server_words = stack(net.server, server_kind, True, checksum)
        exchange(net, client_words, server_words, family)
        if server_kind == "kernel":
            counters = net.server.counters()
            assert counters.get("MPTcpExtMPCapableACKRX") == 1, counters
            assert_clean(counters, paths)
        if client_kind == "kernel":
            counters = net.client.counters()
            assert counters.get("MPTcpExtMPCapableSYNACKRX") == 1, counters
            assert_clean(counters, paths)


@pytest.mark.parametrize("who", ["client", "server"])
def test_plain_tcp_peer(who):
    """A peer without MPTCP: Braid falls back and delivers."""
    with lab.Lab(2) as net:
        braid = lab.braid_run()
        client_words, server_words = ([], braid) if who == "client" else (braid, [])
        net.client.sysctl(net__mptcp__enabled=0)
        net.server.sysctl(net__mptcp__enabled=0)
        exchange(net, client_words, server_words, 4, size=16 << 20)
