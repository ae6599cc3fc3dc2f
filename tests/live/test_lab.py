"""`braid lab`: scenarios in real time, with Braid and with Linux on the hosts, and nothing left of them."""

import json
import os
import signal
import subprocess
import time

import pytest

import lab

TWO_PATHS = """
duration = "30s"
[links.one]
between = ["client", "server"]
rate = "40 Mbit/s"
delay = "5ms"
[links.two]
between = ["client", "server"]
rate = "20 Mbit/s"
delay = "10ms"
"""
BULK = """
[[workload]]
from = "client"
to = "server"
bytes = "8 MB"
"""
REQUESTS = """
[[workload]]
kind = "requests"
from = "client"
to = "server"
request = "300 B"
response = {distribution = "pareto", mean = "20 KB"}
requests = 40
"""
BLOCKS = """
[[workload]]
kind = "blocks"
from = "server"
to = "client"
size = "4 KB"
interval = "20ms"
"""


@pytest.fixture
def scenario(tmp_path):
    def write(text):
        path = tmp_path / "scenario.toml"
        path.write_text(text)
        return str(path)
    return write


def braid_lab(path, *options, **how):
    return subprocess.run([lab.braid_binary(), "lab", path, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=120, **how)


def results_of(path, *options):
    done = braid_lab(path, "--json", *options)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def stacks(client, server):
    return ["--set", f"hosts.client.stack={client}", "--set", f"hosts.server.stack={server}"]


def namespaces_of(pid):
    return [line for line in lab.run("ip", "netns", "list").splitlines() if line.startswith(f"braid-{pid}-")]


@pytest.mark.parametrize("client, server", [("braid", "braid"), ("braid", "linux"), ("linux", "braid"), ("linux", "linux")])
def test_both_paths_carry_a_transfer(scenario, client, server):
    results = results_of(scenario(TWO_PATHS + BULK), *stacks(client, server))
    connection, = results["connections"]
    assert connection["bytes"] == 8_000_000 and connection["complete"] and connection["intact"]
    assert connection["multipath"] == "established"
    assert sum(s["sent_bytes"] for s in connection["subflows"]) >= 8_000_000
    carried = {(link["name"], link["direction"]): link["bytes"] for link in results["links"]}
    assert carried["one", "forward"] > 1_000_000 and carried["two", "forward"] > 1_000_000


@pytest.mark.parametrize("stack", ["braid", "linux"])
def test_requests_are_answered_and_blocks_arrive(scenario, stack):
    results = results_of(scenario(TWO_PATHS + REQUESTS + BLOCKS.replace("server", "x").replace("client", "server").replace("x", "client")),
                         "--set", 'duration="3s"', "--set", "stops_early=false", *stacks(stack, stack))
    requests, blocks = results["connections"]
    assert requests["complete"] and requests["intact"] and requests["delay_s"]["count"] == 40
    assert blocks["intact"] and blocks["failure"] == ""
    # One every 20 ms of three seconds, but for those under way at the end.
    assert 130 <= blocks["delay_s"]["count"] <= 151
    assert requests["delay_s"]["min"] >= 0.010 and blocks["delay_s"]["min"] >= 0.005


def test_ipv6_and_a_nat_behind_a_router(scenario):
    results = results_of(scenario("""
duration = "30s"
ipv6 = true
routers = ["internet"]
[links.home]
between = ["client", "internet"]
rate = "30 Mbit/s"
middleboxes = [{kind = "nat"}]
[links.mobile]
between = ["client", "internet"]
rate = "20 Mbit/s"
delay = "20ms"
[links.server]
between = ["internet", "server"]
""" + BULK))
    connection, = results["connections"]
    assert connection["complete"] and connection["intact"] and len(connection["subflows"]) == 2
    assert all(link["packets"] > 100 for link in results["links"])


def test_a_path_that_loses_its_carrier_is_left_and_used_again(scenario):
    results = results_of(scenario(TWO_PATHS + """
[[event]]
at = "500ms"
link = "two"
action = "down"
silent = false
[[event]]
at = "1500ms"
link = "two"
action = "up"
silent = false
""" + BULK.replace("8 MB", "24 MB")))
    connection, = results["connections"]
    assert connection["complete"] and connection["intact"]
    # A second and more of its 20 Mbit/s, and not only the half second at first.
    assert {link["name"]: link["bytes"] for link in results["links"] if link["direction"] == "forward"}["two"] > 2_000_000


def test_programs_run_on_the_hosts(scenario):
    path = scenario(TWO_PATHS + """
[[program]]
host = "server"
command = "iperf3 -s -1"
background = true
[[program]]
host = "client"
command = "iperf3 -c {server} -n 2M"
start = "1s"
""")
    results = results_of(path)
    server, client = results["programs"]
    assert client["exit_status"] == 0 and "receiver" in client["output"]
    assert server["exit_status"] in (0, None)


def test_a_command_gets_the_terminal_the_addresses_and_says_the_exit_status(scenario):
    done = braid_lab(scenario(TWO_PATHS), "--on", "server", "--", "sh", "-c", "read line; echo $line $BRAID_LAB_client {client}; exit 7",
                     input="hello\n")
    assert done.returncode == 7, done.stderr
    assert done.stdout == "hello 198.51.100.1 198.51.100.1\n"


def test_a_program_that_fails_is_said(scenario):
    done = braid_lab(scenario(TWO_PATHS + '[[program]]\nhost = "client"\ncommand = "echo out of luck; exit 3"\n'))
    assert done.returncode == 1
    assert "exit status 3" in done.stdout and "out of luck" in done.stdout


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_nothing_is_left_however_it_ends(scenario, how):
    process = subprocess.Popen([lab.braid_binary(), "lab", scenario(TWO_PATHS + BULK.replace("8 MB", "800 MB"))],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        lab.wait_for(lambda: len(namespaces_of(process.pid)) == 2, what="the namespaces")
        names = [line.split()[0] for line in namespaces_of(process.pid)]
        lab.wait_for(lambda: len(lab.run("ip", "netns", "pids", names[0]).split()) >= 2, what="daemon and agent")
        pids = [pid for name in names for pid in lab.run("ip", "netns", "pids", name).split()]
        process.send_signal(how)
        status = process.wait(timeout=20)
        assert status == (-how if how == signal.SIGKILL else 130)
        lab.wait_for(lambda: not namespaces_of(process.pid), what="their end")
        lab.wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids), what="the end of the processes")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@pytest.mark.parametrize("options, words", [
    (["--set", "hosts.client.stack=linux", "--set", "hosts.client.congestion_control=lia"], "no congestion control \"lia\""),
    (["--on", "nobody"], "no such host"),
    (["--set", "workload=[]"], "nothing happens"),
    (["--set", "event=[{at='1s', host='client'}]"], "cannot be restarted"),
])
def test_what_cannot_be_is_said(scenario, options, words):
    done = braid_lab(scenario(TWO_PATHS + BULK), *options)
    assert done.returncode == 2 and words in done.stderr, done.stdout + done.stderr
