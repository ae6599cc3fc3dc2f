#!/usr/bin/python3
"""The four mechanisms of the NSDI paper, each switched on and off (`examples/scenarios/wifi-and-3g.toml`, one seed): a table in Markdown.

    scripts/bench mechanisms [--braid build/release/bin/braid]
"""

import argparse
import itertools
import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HOSTS = ("client", "server")


def run(braid, buffers, is_repaired, is_capped, is_tuned):
    values = {"send_buffer": buffers, "receive_buffer": buffers, "opportunistic_retransmission": is_repaired, "penalise": is_repaired,
              "cap_rtt": is_capped, "autotune": is_tuned}
    words = [word for host, (key, value) in itertools.product(HOSTS, values.items())
             for word in ("--set", f"hosts.{host}.{key}={str(value).lower() if isinstance(value, bool) else value}")]
    done = subprocess.run([braid, "sim", os.path.join(ROOT, "examples/scenarios/wifi-and-3g.toml"), "--json", *words],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    connection = json.loads(done.stdout)["connections"][0]
    return (connection["goodput_bits_per_s"] / 1e6, connection["sender_memory_max_bytes"] / 1e6, connection["receiver_memory_max_bytes"] / 1e6)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--braid", default=os.path.join(ROOT, "build/release/bin/braid"))
    options = parser.parse_args()
    cases = [(buffers, repaired, capped, tuned) for buffers in ("200 KB", "8 MB") for tuned in (True, False) for capped in (False, True)
             for repaired in (True, False)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda case: run(options.braid, *case), cases))
    print("| buffers | retransmission + penalty | cap | autotuning | Mbit/s | MB |\n|---|---|---|---|---|---|")
    for (buffers, *switches), (rate, sender, receiver) in zip(cases, results):
        words = " | ".join("on" if switch else "off" for switch in switches)
        print(f"| {buffers} | {words} | {rate:.2f} | {sender:.2f} / {receiver:.2f} |")


if __name__ == "__main__":
    main()
