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


def start_transfer_back(net, words, size):
    """The other way: bulk from the server to the client."""
    address = net.server.address(0)
    server = net.server.start(*words["server"], *lab.PEER, "server", address, 8080, "--bytes", size)
    assert server.stdout.readline() == b"listening\n", server.stderr.read()
    client = net.client.start(*words["client"], *lab.PEER, "client", address, 8080, "--bytes", 0)
    return client, server


def test_braids_server_sends_while_a_path_dies_and_returns(tmp_path):
    size = 32 << 20
    with lab.Lab(2, rates=[RATE_MBIT] * 2, delays=[DELAY_MS] * 2) as net:
        net.client.use_kernel_mptcp()
        words = {"client": lab.MPTCPIZE, "server": lab.braid_run_on_wires(tmp_path)}
        client, server = start_transfer_back(net, words, size)
        got = lambda path: lab.path_bytes(net.client, path)[0]  # noqa: E731
        for path in (0, 1):
            lab.wait_for(lambda: got(path) > 2 << 20, what=f"data on path {path}")
        net.cut(0)
        alive = got(1)
        lab.wait_for(lambda: got(1) > alive + (6 << 20), 20, "data on the path that is left")
        net.restore(0)
        back = got(0)
        lab.wait_for(lambda: got(0) > back + (256 << 10), 2, "the path that came back to be used")
        result = finish(client)
        finish(server)
        assert result["ok"] and result["received"] == size
        assert result["longest_stall"] <= 1.0, result


@pytest.mark.parametrize("sender", ["client", "server"])
def test_kernel_sends_while_a_path_dies_and_returns(sender, tmp_path):
    """Braid is the receiver: how long the gap is, is the kernel's doing; that no byte is lost, is ours too."""
    size = 24 << 20
    with lab.Lab(2, rates=[RATE_MBIT] * 2, delays=[DELAY_MS] * 2) as net:
        kernel, braid = (net.client, net.server) if sender == "client" else (net.server, net.client)
        kernel.use_kernel_mptcp(signal=sender == "server")
        on_braid = lab.braid_run_on_wires(tmp_path)
        if sender == "client":
            client, server = start_transfer(net, {"client": lab.MPTCPIZE, "server": on_braid}, size)
        else:
            client, server = start_transfer_back(net, {"client": on_braid, "server": lab.MPTCPIZE}, size)
        got = lambda path: lab.path_bytes(braid, path)[0]  # noqa: E731
        for path in (0, 1):
            lab.wait_for(lambda: got(path) > 1 << 20, what=f"data on path {path}")
        net.cut(1)
        alive = got(0)
        lab.wait_for(lambda: got(0) > alive + (2 << 20), 20, "data on the path that is left")
        net.restore(1)
        back = got(1)
        lab.wait_for(lambda: got(1) > back + (256 << 10), 20, "the path that came back to be used")
        result = finish(server if sender == "client" else client)
        finish(client if sender == "client" else server)
        assert result["ok"] and result["received"] == size


RACER = """
import socket, sys, time
begin = time.monotonic()
s = socket.create_connection((sys.argv[1], 8080), timeout=20)
taken = time.monotonic() - begin
s.sendall(b"ping")
assert s.recv(4) == b"pong"
print(taken, s.getsockname()[0], flush=True)
"""
ANSWERER = """
import socket, sys
listener = socket.create_server((sys.argv[1], 8080))
print("listening", flush=True)
while True:
    s, _ = listener.accept()
    print("accepted", flush=True)
    if s.recv(4) == b"ping":
        s.sendall(b"pong")
    s.close()
"""


@pytest.mark.parametrize("server", ["kernel", "braid"])
def test_a_dead_first_path_does_not_keep_a_connection_from_opening(server, tmp_path):
    """The first SYN gets no answer: another goes over the second path, and the connection is there in less than the
    second that TCP would wait before it repeats the first."""
    with lab.Lab(2) as net:
        net.client.run("ip", "route", "add", "default", "via", net.server.address(1), "dev", "path1")
        words = lab.MPTCPIZE if server == "kernel" else lab.braid_run()
        process = net.server.start(*words, lab.PEER[0], "-c", ANSWERER, net.server.address(0))
        assert process.stdout.readline() == b"listening\n", process.stderr.read()
        net.cut(0)
        client = net.client.start(*lab.braid_run(), lab.PEER[0], "-c", RACER, net.server.address(0))
        out, err = client.communicate(timeout=30)
        assert client.returncode == 0, err
        taken, address = out.split()
        assert 0.2 < float(taken) < 0.9
        assert process.stdout.readline() == b"accepted\n"
        assert address.decode() == net.client.address(1)
