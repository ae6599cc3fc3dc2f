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


POLICY = """
duration = "6s"
[hosts.client]
scheduler = "weighted"
strict_shares = true
paths = [{interface = "two", weight = 3}]
[links.one]
between = ["client", "server"]
rate = "10 Mbit/s"
delay = "10ms"
[links.two]
between = ["client", "server"]
rate = "10 Mbit/s"
delay = "20ms"
[[workload]]
from = "client"
to = "server"
"""


def sent(csv, subflow, begin, end):
    """Mbit/s"""
    rows = [line.split(",") for line in csv.read_text().splitlines()[1:]]
    rates = [float(row[3]) for row in rows
             if row[1:3] == [f"connection 1 subflow {subflow}", "rate"] and begin < float(row[0]) <= end]
    return sum(rates) / len(rates) / 1e6


def test_schedulers_weights_and_congestion_control_change_while_data_flow(scenario, tmp_path):
    csv = tmp_path / "series.csv"
    path = scenario(POLICY + """
[[event]]
at = "3s"
host = "client"
scheduler = "redundant"
congestion_control = "reno"
""")
    results = results_of(path, "--csv", str(csv))
    assert 2.5 < sent(csv, 2, 1, 3) / sent(csv, 1, 1, 3) < 3.5, "the weights"
    # Over the second path there may be two subflows, one to each of the server's addresses.
    text = csv.read_text()
    others = [n for n in (2, 3) if f"connection 1 subflow {n}," in text]
    assert sent(csv, 1, 4, 6) > 7 and sum(sent(csv, n, 4, 6) for n in others) > 7, "both paths carry everything"
    assert results["connections"][0]["intact"] and results["connections"][0]["wasted_bytes"] > 1_500_000


def test_braid_set_changes_connections_and_says_what_is_wrong(scenario, tmp_path):
    script = tmp_path / "script"
    script.write_text(r"""braid=$1
$braid set all scheduler blest congestion-control balia
$braid ss | grep -o 'scheduler [a-z]*, congestion control [a-z]*'
$braid set $($braid ss | sed -n 's/.*token \([0-9a-f]*\),.*/\1/p') scheduler ecf
$braid ss | grep -o 'scheduler [a-z]*'
$braid set default scheduler redundant congestion-control olia
for i in $(seq 100); do test "$($braid ss | grep -c token)" = 2 && break; sleep 0.05; done
$braid ss | grep -o 'scheduler [a-z]*, congestion control [a-z]*' | sort
$braid set 192.0.2.200:1 scheduler ecf
$braid set all scheduler no-such
$braid set all nonsense x
exit 0
""")
    path = scenario(POLICY + f"""
[[workload]]
from = "client"
to = "server"
start = "4s"
[[program]]
host = "client"
start = "2s"
command = "sh {script} {lab.braid_binary()}"
""")
    results = results_of(path)
    output = results["programs"][0]["output"]
    assert "1 changed\nscheduler blest, congestion control balia\n1 changed\nscheduler ecf\n" in output, output
    assert "scheduler ecf, congestion control balia\nscheduler redundant, congestion control olia\n" in output, output
    assert 'there is no connection "192.0.2.200:1"' in output, output
    assert 'there is no scheduler "no-such": lowest-rtt, ' in output, output
    assert "scheduler NAME, congestion-control NAME, or both" in output, output
    assert results["connections"][0]["intact"]


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
