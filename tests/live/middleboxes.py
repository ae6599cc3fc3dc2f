"""Every kind of middlebox in the laboratory, between two kernels, a kernel and Braid both ways, and two Braids: what arrives,
over how many paths, or the reason for plain TCP.

    middleboxes.py --write docs/middleboxes-lab.md     all of it (some minutes), as a page
"""

import argparse
import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile

import lab

#: label -> the box as the scenario file has it. It stands on the first path.
CASES = {
    "no box": None,
    "NAT": {"kind": "nat"},
    "sequence numbers shifted": {"kind": "sequence-rewriter"},
    "segments cut to 500 octets": {"kind": "splitter", "bytes": 500},
    "segments joined, the first's options kept": {"kind": "coalescer", "bytes": 1400},
    "segments joined, the last's options kept": {"kind": "coalescer", "bytes": 1400, "keeps": "last"},
    "SYNs with MPTCP dropped": {"kind": "syn-option-dropper"},
    "SYN/ACKs with MPTCP dropped": {"kind": "syn-option-dropper", "segments": ["synack"]},
    "options removed from SYN": {"kind": "option-remover", "segments": ["syn"]},
    "options removed from SYN/ACK": {"kind": "option-remover", "segments": ["synack"]},
    "options removed from ACKs": {"kind": "option-remover", "segments": ["ack"]},
    "options removed from data": {"kind": "option-remover", "segments": ["data"]},
    "options removed from all but SYNs": {"kind": "option-remover", "segments": ["ack", "data"]},
    "ADD_ADDR removed": {"kind": "option-remover", "options": ["add_addr"]},
    "MP_JOIN removed": {"kind": "option-remover", "options": ["mp_join"]},
    "SACK removed": {"kind": "option-remover", "options": ["sack_permitted"]},
    "timestamps removed": {"kind": "option-remover", "options": ["timestamps"], "segments": ["syn"]},
    "window scale removed": {"kind": "option-remover", "options": ["window_scale"], "segments": ["syn"]},
    "stateful firewall": {"kind": "stateful-firewall"},
    "firewall that drops ACKs of data unseen": {"kind": "stateful-firewall", "drops_unseen_acks": True},
    "firewall that drops data after a hole": {"kind": "stateful-firewall", "drops_after_hole": True},
    "retransmissions put back": {"kind": "retransmission-normaliser"},
    "data acknowledged on the way": {"kind": "proactive-acker"},
    "transparent proxy": {"kind": "http-proxy", "port": 5001},
}

#: client, server
PAIRS = [("linux", "linux"), ("linux", "braid"), ("braid", "linux"), ("braid", "braid")]
BYTES = 1_500_000
PATIENCE = 15  # seconds of a run; most take less than one


def toml(value):
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + "}"
    return json.dumps(value)


def scenario(box, paths):
    text = f'duration = "{PATIENCE}s"\nname = "middlebox"\n'
    for path in range(paths):
        text += f'[links.path{path + 1}]\nbetween = ["client", "server"]\nrate = "40 Mbit/s"\ndelay = "{3 + path}ms"\nqueue = "60 KB"\n'
        if box is not None and path == 0:
            text += f"middleboxes = [{toml(box)}]\n"
    return text + f'[[workload]]\nfrom = "client"\nto = "server"\nbytes = {BYTES}\n'


def run(box, paths, client, server):
    """What became of a transfer: {"is_exact", "multipath", "fallback", "carrying" (paths with data), "failure"}."""
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
        file.write(scenario(box, paths))
        file.flush()
        done = subprocess.run([lab.braid_binary(), "lab", file.name, "--json", "--set", f"hosts.client.stack={client}",
                               "--set", f"hosts.server.stack={server}"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if not done.stdout:
        raise RuntimeError(done.stderr)
    results = json.loads(done.stdout)
    connection, = results["connections"]
    carrying = sum(link["bytes"] > BYTES / 50 for link in results["links"] if link["direction"] == "forward")
    return {"is_exact": connection["complete"] and connection["intact"] and connection["bytes"] == BYTES,
            "multipath": connection["multipath"], "fallback": connection["fallback"], "carrying": carrying,
            "failure": connection["failure"], "seconds": connection["end_s"]}


def cell(result):
    if not result["is_exact"]:
        return "**" + (result["failure"].split(": ")[-1] or f"not within {PATIENCE} s") + "**"
    text = "plain TCP" if result["multipath"] != "established" else "MPTCP"
    if result["multipath"] == "fallback" and not result["fallback"].startswith("not told"):
        text += f": {result['fallback']}"
    return text + (f", {result['carrying']} paths" if result["carrying"] > 1 else "")


PAGE = """# Middleboxes in the laboratory: Linux and Braid

Written by `tests/live/middleboxes.py --write docs/middleboxes-lab.md`; not by hand. Each run is {megabytes} MB from a client to a
server in real time (`braid lab`), through a box on the first path; on Linux's hosts it is the kernel's MPTCP ({kernel}).
"plain TCP" and the reason are the client's words (the kernel does not tell its reason); "2 paths": each carried a
fiftieth of the data or more. Bold: not everything arrived.

"""


def table(paths, results):
    title = {1: "One path", 2: "Two paths, the box on the first"}[paths]
    lines = [f"## {title}\n", "| box | " + " | ".join(f"{c} to {s}" for c, s in PAIRS) + " |", "|---|" + "---|" * len(PAIRS)]
    for label in CASES:
        lines.append(f"| {label} | " + " | ".join(cell(results[label, paths, pair]) for pair in PAIRS) + " |")
    return "\n".join(lines) + "\n"


def differences(results):
    lines = ["## Where Braid and the kernel differ\n"]
    for label in CASES:
        for paths in (1, 2):
            kernel, braid = results[label, paths, PAIRS[0]], results[label, paths, PAIRS[3]]
            of = [(r["is_exact"], r["multipath"] == "established", r["carrying"]) for r in (kernel, braid)]
            if of[0] != of[1]:
                lines.append(f"- {label}, {paths} path{'s' if paths > 1 else ''}: two kernels: {cell(kernel)}; two Braids: {cell(braid)}.")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", metavar="FILE", required=True)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    todo = [(label, paths, pair) for label in CASES for paths in (1, 2) for pair in PAIRS]
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        found = pool.map(lambda one: run(CASES[one[0]], one[1], *one[2]), todo)
        results = {}
        for one, result in zip(todo, found):
            results[one] = result
            print(f"{len(results)}/{len(todo)} {one}: {cell(result)} {result['seconds']:.2f} s", file=sys.stderr, flush=True)
    with open(options.write, "w") as file:
        file.write(PAGE.format(megabytes=BYTES / 1e6, kernel=".".join(os.uname().release.split(".")[:2])))
        file.write("\n".join(table(paths, results) for paths in (1, 2)) + "\n" + differences(results))


if __name__ == "__main__":
    main()
