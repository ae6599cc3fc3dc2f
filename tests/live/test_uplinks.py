"""`braid up` on a host with two uplinks behind two NATs, and what comes and goes while programs use it."""

import json
import os
import signal
import socket
import tempfile

import pytest

import lab
import roaming
from nat_lab import SERVER, NatLab, Up, snapshot

PYTHON = lab.PEER[0]


def kernel_server(net):
    """An iperf-like sink is not enough: these programs say what they saw."""
    net.server.run("ip", "mptcp", "limits", "set", "subflows", "8", "add_addr_accepted", "8")


def start_peer_server(net, size, family=4, words=()):
    server = net.server.start(*(words or lab.MPTCPIZE), *lab.PEER, "server", SERVER[family], 8080, "--bytes", size)
    assert server.stdout.readline() == b"listening\n", server.stderr.read()
    return server


def start_client(net, up, size, family=4):
    return net.client.start(*up.run(), *lab.PEER, "client", SERVER[family], 8080, "--bytes", size)


def finish(process):
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, (out, err)
    return json.loads(out.splitlines()[-1])


def counts(net):
    return [sum(net.wan_bytes(uplink)) for uplink in (0, 1)]


def wait_for_data(net, uplink, octets, seconds=20, since=None):
    """Until so much more has come by the uplink's router than there was now, or at the counts `since`."""
    begin = (since or counts(net))[uplink]
    lab.wait_for(lambda: sum(net.wan_bytes(uplink)) > begin + octets, seconds, f"data by uplink {uplink + 1}")


def pids_of(net, side):
    return [int(pid) for pid in lab.run("ip", "netns", "pids", side.netns).split()]


def test_up_shows_the_uplinks_and_down_leaves_nothing(tmp_path):
    with NatLab() as net:
        net.client.sysctl(net__ipv4__conf__all__rp_filter=1)
        before = snapshot(net.client)
        with Up(net.client, tmp_path) as up:
            assert "Braid is up" in up.started.stdout and "braid down" in up.started.stdout
            assert "wlan0" in up.started.stdout and "by 198.51.100.1" in up.started.stdout, up.started.stdout
            status = up.status()
            assert [u["name"] for u in status["uplinks"] if u["up"]] == ["wlan0", "wwan0"]
            assert {a["address"] for a in up.uplink("wwan0")["addresses"]} == {"198.51.100.10/25", "2001:db8:2::10/64"}
            assert snapshot(net.client) != before
            again = up.call("up")
            assert again.returncode == 0 and "up already" in again.stdout
            assert up.call("up", "--interface", "wlan0").returncode == 1
            down = up.call("down")
            assert down.returncode == 0, down
            assert snapshot(net.client) == before
            assert up.call("up", "--status").returncode == 3
            assert not pids_of(net, net.client)
            assert up.call("down").returncode == 0


def test_chosen_uplinks_only_and_options_reach_the_daemon(tmp_path):
    with NatLab() as net, Up(net.client, tmp_path, "--interface", "wwan0", "--json") as up:
        answer = json.loads(up.started.stdout)
        assert [u["name"] for u in answer["uplinks"]] == ["wwan0"]
        assert {"name": "wlan0", "reason": "not among those asked for"} in answer["unused"]


def test_programs_of_other_users_need_no_privilege():
    with tempfile.TemporaryDirectory(prefix="braid-") as place, NatLab() as net, Up(net.client, place) as up:
        os.chmod(place, 0o755)
        kernel_server(net)
        server = start_peer_server(net, 1 << 20)
        client = net.client.start("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", *up.run(), *lab.PEER,
                                  "client", SERVER[4], 8080, "--bytes", 1 << 20)
        assert finish(server)["ok"] and finish(client)["ok"]


def test_a_start_that_fails_says_why(tmp_path):
    with NatLab() as net:
        up = Up(net.client, tmp_path, "--device", "a-name-that-is-too-long")
        failed = up.call("up", *up.options)
        assert failed.returncode == 1 and "braid up:" in failed.stderr and "too-long" in failed.stderr, failed
        assert not pids_of(net, net.client)


@pytest.mark.parametrize("who", ["daemon", "both"])
def test_after_kill_9_everything_is_as_before(who, tmp_path):
    with NatLab() as net:
        net.client.run("nft", "add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }")
        before = snapshot(net.client)
        with Up(net.client, tmp_path) as up:
            daemon = up.status()["pid"]
            watcher = int(open(f"/proc/{daemon}/stat").read().rsplit(")", 1)[1].split()[1])
            # A stopped process takes no other signal: so none of them does anything before both are killed.
            for pid in (watcher, daemon):
                os.kill(pid, signal.SIGSTOP)
            os.kill(daemon, signal.SIGKILL)
            if who == "daemon":
                os.kill(watcher, signal.SIGCONT)
                # Its watcher cleans up, and ends.
                lab.wait_for(lambda: not pids_of(net, net.client), what="the watcher's end")
            else:
                os.kill(watcher, signal.SIGKILL)
                lab.wait_for(lambda: not pids_of(net, net.client), what="the end")
                assert snapshot(net.client) != before
                assert up.call("down").returncode == 0
            assert snapshot(net.client) == before


def test_foreground_tells_the_service_manager(tmp_path):
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, NatLab() as net:
        manager.bind(path)
        manager.settimeout(20)
        before = snapshot(net.client)
        up = Up(net.client, tmp_path)
        process = net.client.start(lab.braid_binary(), "up", "--foreground", env={**up.environment, "NOTIFY_SOCKET": path})
        message = manager.recv(4096).decode().splitlines()
        assert message[0] == "READY=1" and "2 uplinks" in message[1], message
        assert up.status()["up"]
        process.terminate()
        assert process.wait(timeout=20) == 0
        assert snapshot(net.client) == before


@pytest.mark.parametrize("routes", ["main", "table"])
def test_both_uplinks_carry_data_through_their_nats(routes, tmp_path):
    """Also where only one of them has a default route in the main table."""
    with NatLab(rates=[40, 40], routes=routes) as net, Up(net.client, tmp_path) as up:
        kernel_server(net)
        source = up.uplink("wwan0")["default_routes"][0]["source"]
        assert source == ("main" if routes == "main" else "table 101")
        for family in (4, 6):
            before = counts(net)
            server = start_peer_server(net, 0, family)
            client = start_client(net, up, 8 << 20, family)
            assert finish(server)["ok"] and finish(client)["ok"]
            assert all(now > then + (1 << 20) for now, then in zip(counts(net), before))


def test_a_gateway_that_nothing_tells_can_be_given(tmp_path):
    with NatLab(rates=[40, 40]) as net:
        kernel_server(net)
        net.client.run("ip", "route", "del", "default", "dev", "wwan0")
        with Up(net.client, tmp_path) as up:
            routes = [r for r in up.uplink("wwan0")["default_routes"] if r["family"] == "ipv4"]
            assert routes == []
        with Up(net.client, tmp_path, "--gateway", "wwan0=198.51.100.1") as up:
            before = counts(net)
            server = start_peer_server(net, 0)
            client = start_client(net, up, 8 << 20)
            assert finish(server)["ok"] and finish(client)["ok"]
            assert all(now > then + (1 << 20) for now, then in zip(counts(net), before))


DROPPING = {
    "policy": "add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }",
    "rule": "add table inet fw; add chain inet fw passing { type filter hook forward priority 0; policy accept; }; "
            "add rule inet fw passing ct state established accept; add rule inet fw passing reject",
}


@pytest.mark.parametrize("how", sorted(DROPPING))
def test_a_firewall_that_drops_what_is_forwarded_lets_braid_through(how, tmp_path):
    with NatLab() as net:
        kernel_server(net)
        net.client.run("nft", DROPPING[how])
        before = snapshot(net.client)
        with Up(net.client, tmp_path, "--firewall", "leave") as up:
            assert "may drop" in up.started.stdout, up.started.stdout
            probe = f"import socket; socket.create_connection(('{SERVER[4]}', 8080), 2)"
            assert lab.subprocess.run(net.client.command(*up.run(), PYTHON, "-c", probe), capture_output=True).returncode != 0
        with Up(net.client, tmp_path) as up:
            assert len(up.status()["firewall_chains"]) == 1
            server = start_peer_server(net, 1 << 20)
            client = start_client(net, up, 1 << 20)
            assert finish(server)["ok"] and finish(client)["ok"]
            # The firewall is loaded anew, by its own tool: the rules come back.
            net.client.run("nft", "flush ruleset; " + DROPPING[how])
            lab.wait_for(lambda: "braid instance" in net.client.run("nft", "list", "ruleset"), what="the rules' return")
            # Ports that programs listen on were not opened: that takes another word.
            assert "dport" in net.client.run("nft", "list", "ruleset")
            up.call("down")
            assert "braid" not in net.client.run("nft", "list", "ruleset")
        assert before


def serve_and_roam(net, up, event, size=16 << 20, family=4, words=()):
    """A transfer up to the server during which event() happens, once both uplinks carry data."""
    before = counts(net)
    server = start_peer_server(net, 0, family, words)
    client = start_client(net, up, size, family)
    for uplink in (0, 1):
        wait_for_data(net, uplink, 1 << 20, since=before)
    event()
    result = finish(server)
    finish(client)
    assert result["ok"] and result["received"] == size


@pytest.mark.parametrize("family", [4, 6])
def test_an_uplink_vanishes_and_returns_with_another_address_and_gateway(family, tmp_path):
    with NatLab(rates=[24, 24]) as net, Up(net.client, tmp_path) as up:
        kernel_server(net)

        def event():
            net.vanish(1)
            wait_for_data(net, 0, 1 << 20)
            net.appear(1, place=1)
            wait_for_data(net, 1, 1 << 20)
            assert up.uplink("wwan0")["default_routes"][0]["gateway"] == "198.51.100.129"

        serve_and_roam(net, up, event, family=family)


def test_the_first_uplink_vanishes_and_a_new_one_comes_first(tmp_path):
    """Make before break: the new address is there before the old one goes."""
    with NatLab(rates=[24, 24]) as net:
        kernel_server(net)
        with Up(net.client, tmp_path) as up:
            def event():
                for address in ("192.0.2.1/25", "192.0.2.129/25"):
                    net.routers[0].run("ip", "addr", "replace", address, "dev", "lan")
                net.client.run("ip", "addr", "add", "192.0.2.140/25", "dev", "wlan0")
                net.client.run("ip", "route", "replace", "default", "via", "192.0.2.129", "dev", "wlan0", "metric", "600")
                net.client.run("ip", "addr", "del", "192.0.2.10/25", "dev", "wlan0")
                wait_for_data(net, 0, 1 << 20)

            serve_and_roam(net, up, event)


def test_an_uplink_that_comes_later_is_used(tmp_path):
    """USB tethering: the device did not exist when Braid came up."""
    with NatLab(rates=[24, 24]) as net:
        kernel_server(net)
        net.vanish(1)
        with Up(net.client, tmp_path) as up:
            server = start_peer_server(net, 0)
            client = start_client(net, up, 16 << 20)
            wait_for_data(net, 0, 1 << 20)
            net.appear(1)
            wait_for_data(net, 1, 1 << 20)
            assert finish(server)["ok"] and finish(client)["ok"]


@pytest.mark.parametrize("peer", ["kernel", "braid"])
@pytest.mark.parametrize("how", ["carrier", "device"])
def test_a_connection_without_any_path_waits_for_one(how, peer, tmp_path):
    """Break before make: nothing is left for two seconds, then one uplink is there again, elsewhere."""
    with NatLab(rates=[24, 24]) as net, Up(net.client, tmp_path) as up:
        kernel_server(net)

        def event():
            for uplink in (0, 1):
                net.carrier(uplink, False) if how == "carrier" else net.vanish(uplink)
            lab.wait_for(lambda: not any(u["up"] for u in up.status()["uplinks"]), what="both to be away")
            assert len(up.connections()) == 1
            lab.time.sleep(2)  # what is tested is an absence of two seconds
            assert len(up.connections()) == 1
            if how == "carrier":
                net.carrier(1, True)
                net.assign_again(1)
            else:
                net.appear(1, place=1)
            wait_for_data(net, 1, 1 << 20, 60)

        serve_and_roam(net, up, event, words=lab.braid_run("--interface", "eth0") if peer == "braid" else ())


def test_a_connection_without_any_path_ends_after_the_configured_time(tmp_path):
    (tmp_path / "braid.toml").write_text("[connection]\nsurvive_without_subflows = 1\n")
    with NatLab(rates=[24, 24]) as net, Up(net.client, tmp_path, "--config", tmp_path / "braid.toml") as up:
        kernel_server(net)
        before = counts(net)
        server = start_peer_server(net, 0)
        client = start_client(net, up, 16 << 20)
        for uplink in (0, 1):
            wait_for_data(net, uplink, 1 << 20, since=before)
        for uplink in (0, 1):
            net.vanish(uplink)
        _, said = client.communicate(timeout=30)
        assert client.returncode != 0 and b"Error" in said, said
        assert not up.connections()
        server.kill()


def test_a_deprecated_address_makes_room_for_its_successor(tmp_path):
    """Renumbering by router advertisements: the old prefix is deprecated, and goes later."""
    with NatLab(rates=[24, 24]) as net, Up(net.client, tmp_path) as up:
        kernel_server(net)
        net.vanish(1)

        def locals_of():
            return {s["local"].rsplit("]")[0].strip("["): s for c in up.connections() for s in c["subflows"]}

        server = start_peer_server(net, 0, 6)
        client = start_client(net, up, 16 << 20, 6)
        wait_for_data(net, 0, 1 << 20)
        net.routers[0].run("ip", "addr", "add", "2001:db8:1:1::1/64", "dev", "lan", "nodad")
        net.client.run("ip", "addr", "add", "2001:db8:1:1::40/64", "dev", "wlan0", "nodad")
        net.client.run("ip", "addr", "change", "2001:db8:1::10/64", "dev", "wlan0", "preferred_lft", "0", "valid_lft", "3600")
        lab.wait_for(lambda: "2001:db8:1:1::40" in locals_of(), what="a path from the new address")
        # The old one is still there, in reserve.
        lab.wait_for(lambda: locals_of()["2001:db8:1::10"]["is_backup"], what="the old path to be in reserve")
        net.client.run("ip", "addr", "del", "2001:db8:1::10/64", "dev", "wlan0")
        wait_for_data(net, 0, 1 << 20)
        assert finish(server)["ok"] and finish(client)["ok"]


def test_policy_rules_that_somebody_removes_come_back(tmp_path):
    """As systemd-networkd does when it starts."""
    with NatLab() as net, Up(net.client, tmp_path) as up:
        before = net.client.run("ip", "rule")
        for line in before.splitlines():
            if "from 198.51.100.10" in line and "86840" in line:
                net.client.run("ip", "rule", "del", "priority", line.split(":")[0], "from", "198.51.100.10", "iif", "braid0")
        lab.wait_for(lambda: net.client.run("ip", "rule") == before, what="the rule's return")
        assert up.uplink("wwan0")["up"]


def test_a_daemon_that_was_stopped_for_a_while_goes_on(tmp_path):
    """As after suspend and resume: time has jumped, and everything is due at once."""
    with NatLab(rates=[24, 24]) as net, Up(net.client, tmp_path) as up:
        kernel_server(net)

        def event():
            daemon = up.status()["pid"]
            os.kill(daemon, signal.SIGSTOP)
            lab.time.sleep(3)
            os.kill(daemon, signal.SIGCONT)
            for uplink in (0, 1):
                wait_for_data(net, uplink, 1 << 20, 60)

        serve_and_roam(net, up, event)


@pytest.mark.parametrize("peer,download", [("braid", False), ("kernel", True)])
def test_scp_and_an_ssh_session_survive_roaming(peer, download):
    """The short version of scripts/roaming."""
    result = roaming.roam(48 << 20, 2, peer, download, say=lambda text: None)
    assert result["scp_exit"] == 0 and result["sha256_same"], result
    assert result["events_done"] and result["session"]["survived"], result
