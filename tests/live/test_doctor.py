"""`braid doctor` on hosts where each obstacle was put on purpose; and beside each, that it is gone when the obstacle is."""

import json
import os
import subprocess

import pytest

import lab


@pytest.fixture
def net():
    with lab.Lab(2) as made:
        yield made


def doctor(side, *words, prefix=(), **options):
    done = subprocess.run(side.command(*prefix, lab.braid_binary(), "doctor", "--json", *words), capture_output=True, text=True,
                          timeout=60, **options)
    assert done.stdout.startswith("{"), done.stdout + done.stderr
    found = json.loads(done.stdout)["findings"]
    return done.returncode, {f["check"]: f for f in sorted(found, key=lambda f: ["fine", "note", "warning", "blocks"].index(f["severity"]))}


def test_nothing_is_wrong_with_a_host_that_is_fine(net):
    status, found = doctor(net.client)
    assert status == 0, found
    assert found["uplinks"]["what"].startswith("2 uplinks: path0 (")
    assert found["tun"]["severity"] == found["privileges"]["severity"] == found["firewall"]["severity"] == "fine"
    assert ": braid" not in net.client.run("ip", "-o", "link"), "looking leaves nothing"


def test_people_read_what_follows_and_what_to_do(net):
    done = subprocess.run(net.client.command(lab.braid_binary(), "doctor"), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "2 uplinks" in done.stdout, done.stdout


def test_without_privileges(net):
    status, found = doctor(net.client, prefix=["setpriv", "--reuid", "nobody", "--clear-groups"], env={**os.environ, "BRAID_SOCKET": "/nowhere"})
    assert status == 2
    assert found["privileges"]["severity"] == "blocks" and "CAP_NET_ADMIN and CAP_NET_RAW" in found["privileges"]["what"]


def test_without_tun(net):
    done = subprocess.run(["unshare", "-m", "sh", "-c", "mount -t tmpfs none /dev/net && exec \"$@\"", "-",
                           *net.client.command(lab.braid_binary(), "doctor", "--json")], capture_output=True, text=True)
    assert done.returncode == 2
    tun = [f for f in json.loads(done.stdout)["findings"] if f["check"] == "tun"]
    assert tun[0]["severity"] == "blocks" and "modprobe tun" in tun[0]["remedy"]


def test_with_parameters_that_cannot_be_written(net):
    # `ip netns exec` mounts /sys anew, not /proc: read-only stays read-only.
    done = subprocess.run(net.client.command("unshare", "-m", "sh", "-c", "mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && "
                                             f"exec {lab.braid_binary()} doctor --json"), capture_output=True, text=True)
    assert done.returncode == 2, done.stdout
    assert [f["severity"] for f in json.loads(done.stdout)["findings"] if f["check"] == "parameters"] == ["blocks"]


def test_firewall_that_drops_what_is_forwarded_and_the_remedy_helps(net):
    net.client.run("nft", "add table ip filter; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }")
    try:
        status, found = doctor(net.client)
        assert status == 2 and found["firewall"]["severity"] == "blocks"
        net.client.run("sh", "-c", found["firewall"]["remedy"].replace("sudo ", ""))
        status, found = doctor(net.client)
        assert status == 0 and found["firewall"]["severity"] == "fine"
    finally:
        net.client.run("nft", "delete table ip filter")


def test_rule_that_drops_the_option(net):
    net.client.run("nft", "add table inet box; add chain inet box out { type filter hook postrouting priority 0; }; "
                          "add rule inet box out tcp option 30 exists drop")
    try:
        status, found = doctor(net.client)
        assert status == 1 and "MPTCP option" in found["firewall"]["what"]
    finally:
        net.client.run("nft", "delete table inet box")


def test_policy_rule_before_braids(net):
    net.client.run("ip", "rule", "add", "priority", 1, "from", "192.0.2.0/24", "lookup", 77)
    try:
        status, found = doctor(net.client)
        assert status == 1 and "policy rule 1 (table 77)" in found["policy-rules"]["what"]
    finally:
        net.client.run("ip", "rule", "del", "priority", 1, "from", "192.0.2.0/24", "lookup", 77)


def test_uplinks_routes_and_metrics(net):
    net.client.run("ip", "route", "add", "default", "via", net.server.address(0), "dev", "path0")
    status, found = doctor(net.client)
    assert status == 1 and found["default-route"]["what"].startswith("path1 has an IPv4 address and no default route")
    net.client.run("ip", "route", "append", "default", "via", net.server.address(1), "dev", "path1")
    status, found = doctor(net.client)
    assert status == 1 and "path0 and path1 have the same metric 0" in found["metrics"]["what"]
    net.client.run("ip", "route", "flush", "exact", "0.0.0.0/0")
    net.client.run("ip", "link", "set", "path1", "down")
    try:
        status, found = doctor(net.client)
        assert status == 0 and found["uplinks"]["what"].startswith("one uplink: path0")
        net.client.run("ip", "link", "set", "path0", "down")
        status, found = doctor(net.client)
        assert status == 2 and found["uplinks"]["severity"] == "blocks"
    finally:
        for path in (0, 1):
            net.client.run("ip", "link", "set", f"path{path}", "up")
            net.client.run("ip", "-6", "addr", "replace", f"{net.client.address(path, 6)}/64", "dev", f"path{path}", "nodad")


def test_mtu_ipv6_and_parameters(net):
    net.server.run("ip", "link", "set", "path1", "mtu", 1000)
    net.server.sysctl(net__ipv4__ip_no_pmtu_disc=1, net__ipv4__conf__all__rp_filter=1)
    try:
        status, found = doctor(net.server)
        assert status == 1 and found["rp_filter"]["severity"] == "note"
        assert "ip_no_pmtu_disc=1" in found["mtu"]["what"] or "MTU of 1000" in found["mtu"]["what"]
    finally:
        net.server.run("ip", "link", "set", "path1", "mtu", 1500)
        net.server.sysctl(net__ipv4__ip_no_pmtu_disc=0, net__ipv4__conf__all__rp_filter=0)
        net.server.run("ip", "-6", "addr", "replace", f"{net.server.address(1, 6)}/64", "dev", "path1", "nodad")


def test_a_kernel_socket_among_braids_ports(net):
    holder = net.client.start("/usr/bin/python3", "-c", "import socket; s = socket.socket(); s.bind(('', 61500)); s.listen(); print(1, flush=True); input()",
                              stdin=subprocess.PIPE)
    holder.stdout.readline()
    status, found = doctor(net.client)
    assert status == 1 and found["ports"]["what"].startswith("1 of Braid's ports 61000-64999")
    holder.communicate(b"\n")
    assert doctor(net.client)[0] == 0


def test_kernel_endpoints_at_the_same_addresses(net):
    net.client.run("ip", "mptcp", "endpoint", "add", net.client.address(1), "subflow")
    status, found = doctor(net.client)
    net.client.run("ip", "mptcp", "endpoint", "flush")
    assert status == 0 and net.client.address(1) in found["kernel-mptcp"]["what"]


def test_daemon_and_what_a_killed_one_left(net, tmp_path):
    path = str(tmp_path / "s")
    environment = {**os.environ, "BRAID_SOCKET": path}
    daemon = net.client.start(lab.braid_binary(), "daemon", "--socket", path)
    lab.wait_for(lambda: os.path.exists(path + ".app"), what="the daemon")
    status, found = doctor(net.client, env=environment)
    assert status == 0 and found["daemon"]["what"].startswith(f"a daemon runs (pid {daemon.pid})")
    daemon.kill()
    daemon.wait()
    status, found = doctor(net.client, env=environment)
    assert status == 1 and found["leftovers"]["severity"] == "warning"
    net.client.run(*found["leftovers"]["remedy"].replace("sudo braid", lab.braid_binary()).split())
    status, found = doctor(net.client, env=environment)
    assert status == 0 and "leftovers" not in found


def test_programs(net):
    assert doctor(net.client, "--", "/usr/bin/curl", "-v")[1]["program"]["severity"] == "fine"
    status, found = doctor(net.client, "--", "/sbin/ldconfig")
    assert status == 2 and "--capture" in found["program"]["remedy"]
    assert doctor(net.client, "--", "/no/such/program")[0] == 2


def test_configuration_with_a_mistake(net, tmp_path):
    (tmp_path / "x.toml").write_text("[network]\nipv5 = true\n")
    status, found = doctor(net.client, "--config", str(tmp_path / "x.toml"))
    assert status == 2 and "x.toml:2:1" in found["config"]["what"]


def listen(side, port, mptcp=True):
    server = side.start("/usr/bin/python3", "-c", f"import socket; s = socket.socket(socket.AF_INET6, socket.SOCK_STREAM, {262 if mptcp else 0}); "
                        f"s.bind(('::', {port})); s.listen(); print(1, flush=True); input()", stdin=subprocess.PIPE)
    server.stdout.readline()
    return server


def reach(net, port, family=4):
    address = net.server.address(0, family)
    host = f"[{address}]" if family == 6 else address
    # By the second uplink too: it takes a route there.
    net.client.run("ip", "route", "replace", "default", "via", net.server.address(1), "dev", "path1", "metric", 50)
    try:
        done = subprocess.run(net.client.command(lab.braid_binary(), "doctor", "--json", "--reach", f"{host}:{port}"), capture_output=True,
                              text=True, timeout=60)
    finally:
        net.client.run("ip", "route", "flush", "exact", "0.0.0.0/0")
    return [f for f in json.loads(done.stdout)["findings"] if f["check"] == "reach"]


def test_reach_tells_what_the_path_and_the_peer_do(net):
    listen(net.server, 7001)
    listen(net.server, 7002, mptcp=False)
    for family in (4, 6):
        found = reach(net, 7001, family)
        assert found[0]["what"].startswith("path0") and "MP_CAPABLE is answered" in found[0]["what"], found
    by_second = reach(net, 7001)[1]
    assert by_second["what"].startswith("path1") and "MP_CAPABLE is answered" in by_second["what"], by_second
    assert "answered without MP_CAPABLE" in reach(net, 7002)[0]["what"]
    assert "refused (RST)" in reach(net, 7003)[0]["what"]


def test_reach_finds_a_box_that_drops_the_option_and_one_that_drops_all(net):
    listen(net.server, 7004)
    for rule, answer in (("tcp option 30 exists drop", "with MP_CAPABLE is lost"), ("tcp dport 7004 drop", "nothing comes back")):
        net.server.run("nft", "add table inet box; add chain inet box in { type filter hook input priority 0; }; " f"add rule inet box in {rule}")
        try:
            assert answer in reach(net, 7004)[0]["what"]
        finally:
            net.server.run("nft", "delete table inet box")
