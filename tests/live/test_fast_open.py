"""TCP Fast Open (RFC 7413; RFC 8684, appendix B) against the kernel: the first connection asks for a cookie, the second has its request on
the SYN. Both roles, MPTCP and plain TCP, both families."""

import json
import os

import pytest

import lab
from conversation import BraidStack, KernelStack

PORT = 7413
PROGRAM = [lab.PEER[0], os.path.join(lab.HERE, "fast_opener.py")]


class Opened:
    """A server, and a client that connects to it twice, one side on Braid and the other on the kernel."""

    def __init__(self, net, braid_role, family, is_mptcp, by_connect=False):
        sides = {"client": net.client, "server": net.server}
        kernel_side = sides["server" if braid_role == "client" else "client"]
        kernel_side.sysctl(net__ipv4__tcp_fastopen=3)
        self.kernel = KernelStack(kernel_side)
        self.braid = BraidStack(sides[braid_role], multipath=is_mptcp)
        self.stacks = {braid_role: self.braid, "client" if braid_role == "server" else "server": self.kernel}
        self.kernel_words = ["--mptcp"] if is_mptcp else []
        self.address = net.server.address(0, family)
        self.by_connect = ["--connect"] if by_connect else []

    def start(self, role, *options):
        words = [*PROGRAM, role, self.address, PORT, 2, *options]
        if self.stacks[role] is self.kernel:
            return self.kernel.side.start(*words, *self.kernel_words)
        return self.braid.side.start(*self.braid.words(*words))

    def play(self):
        # Neighbours are known by then: a first SYN that is lost counts against Fast Open, as it should.
        other = self.kernel.side.lab.client if self.kernel.side is self.kernel.side.lab.server else self.kernel.side.lab.server
        target = self.address if other is other.lab.client else self.kernel.side.address(0, 6 if ":" in self.address else 4)
        code = f"import socket, sys; s = socket.socket(socket.AF_INET{'6' if ':' in target else ''}); sys.exit(s.connect_ex(('{target}', 9)) != 111)"
        lab.wait_for(lambda: lab.subprocess.run(other.command(lab.PEER[0], "-c", code), capture_output=True).returncode == 0, what="the neighbour")
        server = self.start("server", *(["--established"] if self.kernel_words else []))
        assert json.loads(server.stdout.readline())["listening"], server.stderr.read()
        client = self.start("client", *self.by_connect)
        saw = {}
        for role, process in (("client", client), ("server", server)):
            out, err = process.communicate(timeout=20)
            assert process.returncode == 0, (role, out, err.decode())
            saw[role] = [json.loads(line) for line in out.splitlines()]
        return saw

    def braid_counters(self):
        return json.loads(self.braid.call("counters", "--json"))


@pytest.mark.parametrize("family", [4, 6])
@pytest.mark.parametrize("protocol", ["mptcp", "tcp"])
@pytest.mark.parametrize("role", ["client", "server"])
def test_the_second_connection_has_its_request_on_the_syn(role, protocol, family):
    with lab.Lab(1) as net:
        opened = Opened(net, role, family, protocol == "mptcp")
        for who, results in opened.play().items():
            assert [r["ok"] for r in results] == [True, True], (who, results)
            # The kernel's MPTCP socket does not pass its subflow's flag on.
            if not (protocol == "mptcp" and opened.stacks[who] is opened.kernel):
                assert [r["syn_data"] for r in results] == [False, True], (who, results)
        ours, kernels = opened.braid_counters(), opened.kernel.side.counters()
        active, passive = (ours, kernels) if role == "client" else (kernels, ours)
        assert active["TcpExtTCPFastOpenActive"] == 1, active
        assert passive["TcpExtTCPFastOpenPassive"] == 1 and passive["TcpExtTCPFastOpenCookieReqd"] == 1, passive
        for counters in (ours, kernels):
            for name in ("TcpExtTCPFastOpenActiveFail", "TcpExtTCPFastOpenPassiveFail"):
                assert counters.get(name, 0) == 0, (name, counters)
        if protocol == "mptcp":
            capable = ours["MPTcpExtMPCapableSYNTX" if role == "client" else "MPTcpExtMPCapableACKRX"]
            assert capable == 2, ours
            fallbacks = {name: n for name, n in {**ours, **kernels}.items() if "allback" in name and n}
            assert not fallbacks, fallbacks


@pytest.mark.parametrize("protocol", ["mptcp", "tcp"])
def test_a_connect_that_waits_for_data(protocol):
    """TCP_FASTOPEN_CONNECT: with a cookie the second connect() returns at once, and the first write makes the SYN."""
    with lab.Lab(1) as net:
        opened = Opened(net, "client", 4, protocol == "mptcp", by_connect=True)
        saw = opened.play()
        assert [r["syn_data"] for r in saw["client"]] == [False, True] and all(r["ok"] for r in saw["client"]), saw
        assert opened.braid_counters()["TcpExtTCPFastOpenActive"] == 1


@pytest.mark.parametrize("protocol", ["mptcp", "tcp"])
def test_a_cookie_that_the_kernel_forgot(protocol):
    """Its key has changed between the connections: the request goes again, and nothing is lost or doubled."""
    with lab.Lab(1) as net:
        opened = Opened(net, "client", 4, protocol == "mptcp")
        opened.play()
        opened.kernel.side.sysctl(net__ipv4__tcp_fastopen_key="01020304-05060708-090a0b0c-0d0e0f10")
        saw = opened.play()
        assert all(r["ok"] for r in saw["client"] + saw["server"]), saw
        # The first of the two brought another cookie, which was good for the second.
        assert [r["syn_data"] for r in saw["client"]] == [False, True], saw
        assert opened.braid_counters()["TcpExtTCPFastOpenActiveFail"] == 1
        assert opened.kernel.side.counters()["TcpExtTCPFastOpenPassiveFail"] == 1


@pytest.mark.parametrize("role", ["client", "server"])
def test_nothing_of_it_unless_it_is_allowed(role):
    with lab.Lab(1) as net:
        opened = Opened(net, role, 4, True)
        opened.braid.stop()
        os.killpg(opened.braid.daemon.pid, lab.signal.SIGTERM)
        opened.braid.daemon.wait(timeout=5)
        opened.braid = BraidStack(opened.braid.side, fast_open="off")
        opened.stacks[role] = opened.braid
        for results in opened.play().values():
            assert all(r["ok"] and not r["syn_data"] for r in results), results
        counters = {**opened.kernel.side.counters(), **opened.braid_counters()}
        assert not any(n for name, n in counters.items() if name in ("TcpExtTCPFastOpenActive", "TcpExtTCPFastOpenPassive"))


def start_nginx(opened, place):
    config = os.path.join(place, "nginx.conf")
    with open(config, "w") as file:
        file.write(f"""daemon off; pid {place}/nginx.pid; error_log {place}/error.log warn; worker_processes 1; user root;
events {{ worker_connections 64; }}
http {{ access_log off; server {{ listen 8080 fastopen=64; location / {{ return 200 "{'x' * 4000}"; }} }} }}
""")
    words = ["nginx", "-c", config]
    side = opened.stacks["server"].side
    nginx = side.start(*(words if opened.stacks["server"] is opened.kernel else opened.braid.words(*words)))
    probe = f"import socket; socket.create_connection(('{opened.address}', 8080), 1).close()"
    lab.wait_for(lambda: nginx.poll() is not None or
                 lab.subprocess.run(side.lab.client.command("/usr/bin/python3", "-c", probe), capture_output=True).returncode == 0, what="nginx")
    assert nginx.poll() is None, nginx.communicate()


@pytest.mark.parametrize("role", ["client", "server"])
def test_curl_and_nginx(role, tmp_path):
    """curl --tcp-fastopen sets TCP_FASTOPEN_CONNECT; nginx's `fastopen=` sets TCP_FASTOPEN on a socket that listens already."""
    with lab.Lab(1) as net:
        opened = Opened(net, role, 4, False)
        start_nginx(opened, str(tmp_path))
        client = opened.stacks["client"]
        for _ in range(2):
            words = ["curl", "-sS", "--tcp-fastopen", "--max-time", "10", f"http://{opened.address}:8080/"]
            text = client.side.run(*(words if client is opened.kernel else client.words(*words)))
            assert text == "x" * 4000
        ours, kernels = opened.braid_counters(), opened.kernel.side.counters()
        active, passive = (ours, kernels) if role == "client" else (kernels, ours)
        assert active["TcpExtTCPFastOpenActive"] == 1 and passive["TcpExtTCPFastOpenPassive"] == 1, (active, passive)
