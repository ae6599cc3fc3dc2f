"""Bulk goodput and CPU seconds per GB over veth: kernel TCP, kernel MPTCP, Braid through the preloaded library and through
the C++ API, alternating in one run. See scripts/bench."""

import argparse
import json
import os
import statistics
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "live"))
import lab  # noqa: E402

BULK = os.path.join(lab.BUILD, "bin", "bulk")
BULK_API = os.path.join(lab.BUILD, "bin", "bulk_api")
TICKS = os.sysconf("SC_CLK_TCK")


def kernel_tcp(side, is_server):
    return [BULK, "--congestion", "cubic"]


def kernel_mptcp(side, is_server):
    side.use_kernel_mptcp(signal=is_server)
    return [BULK, "--mptcp", "--congestion", "cubic"]


def braid_shim(side, is_server):
    return [*lab.braid_run(), BULK]


def braid_api(side, is_server):
    return [BULK_API]


#: name -> (sender, receiver)
CASES = {
    "kernel TCP": (kernel_tcp, kernel_tcp),
    "kernel MPTCP": (kernel_mptcp, kernel_mptcp),
    "Braid, API": (braid_api, braid_api),
    "Braid, API -> kernel MPTCP": (braid_api, kernel_mptcp),
    "kernel MPTCP -> Braid, API": (kernel_mptcp, braid_api),
    "Braid, shim": (braid_shim, braid_shim),
    "Braid, shim -> kernel MPTCP": (braid_shim, kernel_mptcp),
    "kernel MPTCP -> Braid, shim": (kernel_mptcp, braid_shim),
}


def busy_seconds():
    """CPU time of the whole machine so far: both programs, the daemons and the kernel's threads."""
    fields = list(map(int, open("/proc/stat").readline().split()[1:9]))
    user, nice, system, idle, iowait, irq, softirq, steal = fields
    return (user + nice + system + irq + softirq) / TICKS


def measure(case, paths, seconds):
    sender_stack, receiver_stack = CASES[case]
    with lab.Lab(paths) as net:
        receiver_words = receiver_stack(net.server, True)
        sender_words = sender_stack(net.client, False)
        receiver = net.server.start(*receiver_words, "sink", 5001)
        line = receiver.stdout.readline()
        if line != b"listening\n":
            raise RuntimeError(f"{case}: the sink did not start: {receiver.stderr.read().decode()}")
        before, begin = busy_seconds(), os.times().elapsed
        sender = net.client.start(*sender_words, "send", net.server.address(), 5001, seconds)
        total = sender.stdout.readline()  # all has arrived; what it takes to end is not measured
        elapsed, busy = os.times().elapsed - begin, busy_seconds() - before
        out, err = sender.communicate(timeout=seconds + 60)
        if sender.returncode != 0:
            raise RuntimeError(f"{case}: {err.decode()}")
        sink_out, sink_err = receiver.communicate(timeout=30)
        if receiver.returncode != 0:
            raise RuntimeError(f"{case}: the sink ended with {receiver.returncode}: {sink_err.decode()}")
        sent, got = int(total), int(sink_out.split()[-1])
        if sent != got:
            raise RuntimeError(f"{case}: sent {sent} octets, {got} arrived")
        shares = [lab.path_bytes(net.server, path)[0] for path in range(paths)]
    return {"gbit_per_s": sent * 8e-9 / elapsed, "cpu_s_per_gb": busy / (sent * 1e-9),
            "shares": [share / sum(shares) for share in shares]}


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench live", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="each case is measured so often, in turn")
    parser.add_argument("--seconds", type=float, default=3, help="of sending, each time")
    parser.add_argument("--paths", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--only", help="cases whose name has this in it")
    parser.add_argument("--json", metavar="FILE", help="write all figures there")
    options = parser.parse_args()
    if reason := lab.why_not():
        raise SystemExit(f"scripts/bench live {reason}.")
    cases = [case for case in CASES if not options.only or options.only in case]
    figures = {(case, paths): [] for paths in options.paths for case in cases}
    total = options.rounds * len(figures)
    for round_number in range(options.rounds):
        for index, (case, paths) in enumerate(figures):
            print(f"\r{round_number * len(figures) + index + 1}/{total} {case}, {paths} path(s)" + " " * 20,
                  end="", file=sys.stderr, flush=True)
            figures[case, paths].append(measure(case, paths, options.seconds))
    print("\r" + " " * 70 + "\r", end="", file=sys.stderr)
    print(f"{'':30}" + "".join(f"{f'{paths} path(s): Gbit/s':>22}{'CPU s/GB':>10}" for paths in options.paths))
    report = []
    for case in cases:
        line = f"{case:30}"
        for paths in options.paths:
            runs = figures[case, paths]
            rate = statistics.median(run["gbit_per_s"] for run in runs)
            cost = statistics.median(run["cpu_s_per_gb"] for run in runs)
            line += f"{rate:22.2f}{cost:10.3f}"
            report.append({"case": case, "paths": paths, "gbit_per_s": rate, "cpu_s_per_gb": cost, "runs": runs})
        print(line)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(report, file, indent=1)


if __name__ == "__main__":
    main()
