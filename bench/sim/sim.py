"""Packet-hops per CPU second of Braid's simulator beside ns-3's, on the same work (work.h), alternating in one run on one core.
See scripts/bench."""

import argparse
import json
import os
import statistics
import subprocess
import sys

BIN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "build", "release", "bin")
PROGRAMS = {"Braid": "bench_sim_braid", "ns-3": "bench_sim_ns3"}


def run(program, core, words):
    command = ["taskset", "-c", str(core), os.path.join(BIN, PROGRAMS[program]), *words]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit status {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout)


def measure(programs, case, words, options):
    """Rows of the table: the median of CPU time, so that a noisy neighbour counts as little as can be."""
    empty = {p: run(p, options.core, [*words, "--seconds", "0.000001"]) for p in programs}
    rounds = {p: [] for p in programs}
    for _ in range(options.rounds):
        for program in programs:
            rounds[program].append(run(program, options.core, words))
    rows = []
    for program in programs:
        one = rounds[program][0]
        cpu = [r["cpu_s"] for r in rounds[program]]
        rows.append(
            {
                "case": case,
                "simulator": program,
                "hops": one["hops"],
                "delivered_bytes": one["bytes"],
                "connections": one["connections"],
                "cpu_s": statistics.median(cpu),
                "cpu_s_all": cpu,
                "hops_per_cpu_s": one["hops"] / statistics.median(cpu),
                "peak_mb": one["peak_kb"] / 1024,
                # What the traffic needs beyond the network without any.
                "kb_per_connection": (one["peak_kb"] - empty[program]["peak_kb"]) / one["connections"],
            }
        )
    for row in rows:
        row["ratio"] = row["hops_per_cpu_s"] / rows[-1]["hops_per_cpu_s"] if len(rows) > 1 else None
    return rows


def show(rows):
    columns = "packet-hops", "delivered MB", "CPU s", "hops/CPU s", "to ns-3", "peak MB", "KB/connection"
    print(f"{'':<44} {'':<6}" + "".join(f" {c:>13}" for c in columns))
    for r in rows:
        ratio = f"{r['ratio']:.1f}" if r["ratio"] else "-"
        print(
            f"{r['case']:<44} {r['simulator']:<6} {r['hops']:>13,} {r['delivered_bytes'] / 1e6:>13.0f} {r['cpu_s']:>13.2f}"
            f" {r['hops_per_cpu_s']:>13,.0f} {ratio:>13} {r['peak_mb']:>13.0f} {r['kb_per_connection']:>13,.0f}"
        )


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench sim", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--core", type=int, default=max(os.sched_getaffinity(0)))
    parser.add_argument("--large", action="store_true", help="FatTree k=16 too, Braid alone: a few minutes")
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    programs = [p for p, file in PROGRAMS.items() if os.path.exists(os.path.join(BIN, file))]
    if len(programs) < len(PROGRAMS):
        print("without ns-3: it is not installed (scripts/setup --bench)")
    seconds = ["--seconds", "5"]
    cases = [
        ("(a) one TCP flow, queue overflows, 5 s", ["--case", "bottleneck", *seconds]),
        ("(a') likewise, window below the queue, 5 s", ["--case", "bottleneck", "--buffer", "2000000", *seconds]),
        ("(b) FatTree k=8, 128 x 8 subflows, 1 s", ["--case", "fat-tree", "--k", "8"]),
    ]
    rows = []
    for case, words in cases:
        rows += measure(programs, case, words, options)
    if options.large:
        options.rounds = 1
        rows += measure(["Braid"], "FatTree k=16, 1,024 x 8 subflows, 1 s", ["--case", "fat-tree", "--k", "16"], options)
    show(rows)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(rows, file, indent=2)


main()
