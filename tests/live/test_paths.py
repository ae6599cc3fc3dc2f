"""A path dies in the middle of a transfer and nobody says so; then it comes back."""

import json

import pytest

import lab

RATE_MBIT = 40
DELAY_MS = 10  # one way: 20 ms of round-trip time


def start_transfer(net, words, size):
    """One-way bulk from the client to the server; the programs, and a look at what the server has by path."""
    address = net.server.address(0)
    server = net.server.start(*words["server"], *lab.PEER, "server", address, 8080, "--bytes", 0)
    assert server.stdout.readline() == b"listening\n", server.stderr.read()
    client = net.client.start(*words["client"], *lab.PEER, "client", address, 8080, "--bytes", size)
    return client, server


def finish(process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, (out, err)
    return json.loads(out.splitlines()[-1])


def server_got(net, path):
    return lab.path_bytes(net.server, path)[0]


@pytest.mark.parametrize("receiver", ["kernel", "braid"])
def test_silent_path_death_and_return(receiver, tmp_path):
    size = 48 << 20
    with lab.Lab(2, rates=[RATE_MBIT] * 2, delays=[DELAY_MS] * 2) as net:
        braid = lab.braid_run_on_wires(tmp_path)
        words = {"client": braid, "server": lab.MPTCPIZE if receiver == "kernel" else braid}
        if receiver == "kernel":
            net.server.use_kernel_mptcp(signal=True)
        client, server = start_transfer(net, words, size)
        for path in (0, 1):
            lab.wait_for(lambda: server_got(net, path) > 2 << 20, what=f"data on path {path}")
        net.cut(0)
        alive = server_got(net, 1)
        lab.wait_for(lambda: server_got(net, 1) > alive + (6 << 20), 20, "data on the path that is left")
        net.restore(0)
        back = server_got(net, 0)
        lab.wait_for(lambda: server_got(net, 0) > back + (256 << 10), 2, "the path that came back to be used")
        result = finish(server)
        finish(client)
        assert result["ok"] and result["received"] == size
        assert result["longest_stall"] <= 1.0, result


def test_kernel_sends_while_a_path_dies(tmp_path):
    """Braid is the receiver: how long the gap is, is the kernel's doing; that no byte is lost, is ours too."""
    size = 24 << 20
    with lab.Lab(2, rates=[RATE_MBIT] * 2, delays=[DELAY_MS] * 2) as net:
        net.client.use_kernel_mptcp()
        words = {"client": lab.MPTCPIZE, "server": lab.braid_run_on_wires(tmp_path)}
        client, server = start_transfer(net, words, size)
        for path in (0, 1):
            lab.wait_for(lambda: server_got(net, path) > 1 << 20, what=f"data on path {path}")
        net.cut(1)
        result = finish(server)
        finish(client)
        assert result["ok"] and result["received"] == size
