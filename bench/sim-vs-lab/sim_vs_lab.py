"""Six scenarios, each in the simulator, in the laboratory with Braid on its hosts, and there with Linux: goodput side by
side. See scripts/bench."""

import argparse
import glob
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
BRAID = os.path.join(HERE, "..", "..", "build", "release", "bin", "braid")
#: What the simulator's goodput may be off from the laboratory's.
TOLERANCE = 0.10


def run(command, scenario, seed, changes=()):
    words = [BRAID, command, scenario, "--json", "--seed", str(seed)]
    for change in changes:
        words += ["--set", change]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def goodput(results):
    return sum(c["goodput_bits_per_s"] for c in results["connections"]) / 1e6


def hosts_of(results):
    return sorted({c[end] for c in results["connections"] for end in ("from", "to")})


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="runs of each, with seeds 1, 2, ...: their mean counts [3]")
    parser.add_argument("--no-linux", action="store_true", help="leave Linux out")
    parser.add_argument("--json", metavar="FILE", help="write the figures there")
    options = parser.parse_args()
    seeds = range(1, options.rounds + 1)
    paths = sorted(glob.glob(os.path.join(HERE, "*.toml")))
    rows, is_good = [], True
    print(f"goodput in Mbit/s, means of {options.rounds}" + ("" if options.no_linux else "; Linux on all hosts, CUBIC where the scenario does not say otherwise"))
    print(f"{'scenario':<22} {'simulator':>10} {'lab':>8} {'sim/lab':>8}   {'Linux':>8} {'Braid/Linux':>12}   {'late, 99 %':>10}")
    for path in paths:
        name = os.path.basename(path)[2:-5]
        row = {"scenario": name}
        simulated = [run("sim", path, seed) for seed in seeds]
        real = [run("lab", path, seed) for seed in seeds]
        row["simulator"] = statistics.mean(map(goodput, simulated))
        row["lab"] = statistics.mean(map(goodput, real))
        row["ratio"] = row["simulator"] / row["lab"]
        row["late_us"] = max(r["lateness_s"]["p99"] for r in real) * 1e6
        text = f"{name:<22} {row['simulator']:>10.2f} {row['lab']:>8.2f} {row['ratio']:>8.3f}"
        if not options.no_linux:
            linux = [f"hosts.{host}.stack=linux" for host in hosts_of(simulated[0])]
            row["linux"] = statistics.mean(goodput(run("lab", path, seed, linux)) for seed in seeds)
            text += f"   {row['linux']:>8.2f} {row['lab'] / row['linux']:>12.2f}"
        else:
            text += " " * 24
        is_near = abs(row["ratio"] - 1) <= TOLERANCE
        is_good = is_good and is_near
        print(text + f"   {row['late_us']:>7.0f} us" + ("" if is_near else f"   more than {TOLERANCE:.0%} off"), flush=True)
        rows.append(row)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(rows, file, indent=2)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
