"""Requests per second of nginx by ab and wrk, files of 1 KB to 1 MB: kernel TCP, kernel MPTCP and Braid, alternating in one run;
a table and a plot. See scripts/bench."""

import argparse
import json
import os
import re
import statistics
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
for room in ("live", "load"):
    sys.path.insert(0, os.path.join(HERE, "..", "..", "tests", room))
import lab  # noqa: E402
import load  # noqa: E402

SIZES = {"1 KB": 1000, "10 KB": 10_000, "100 KB": 100_000, "1 MB": 1_000_000}
#: name -> (client, server); a stack is "tcp", "mptcp" (the kernel's) or "braid"
CASES = {
    "kernel TCP": ("tcp", "tcp"),
    "kernel MPTCP": ("mptcp", "mptcp"),
    "nginx under Braid": ("mptcp", "braid"),
    "client under Braid": ("braid", "mptcp"),
    "both under Braid": ("braid", "braid"),
}
#: ab opens a connection for each request; wrk keeps its 100.
TOOLS = {"ab": "a connection for each request", "wrk": "100 connections that stay"}
COLOURS = ["#888888", "#444444", "#1f77b4", "#2ca02c", "#d62728"]


def measure(case, tool, seconds):
    """Requests per second for each size; every answer is checked to be complete."""
    client, server = CASES[case]
    results = {}
    with tempfile.TemporaryDirectory(prefix="braid-http-") as place, lab.Lab(2) as net:
        os.chmod(place, 0o755)
        for name, size in SIZES.items():
            with open(os.path.join(place, str(size)), "wb") as file:
                file.write(os.urandom(size))
        for side in (net.client, net.server):
            side.sysctl(net__core__somaxconn=4096)
        words = {}
        for side, stack in ((net.client, client), (net.server, server)):
            if stack == "mptcp":
                side.use_kernel_mptcp(signal=side is net.server)
            daemon = load.Daemon(side, place, 8000) if stack == "braid" else None
            words[side] = {"tcp": [], "mptcp": lab.MPTCPIZE, "braid": daemon.words() if daemon else None}[stack]
            if side is net.server:
                listens = (lambda: f":{load.PORT}" in daemon.ask("ss")) if daemon else None
                load.start_nginx(side, place, words[side], listens)
        for name, size in SIZES.items():
            url = f"http://{net.server.address()}:{load.PORT}/{size}"
            if tool == "ab":
                out = net.client.run(*words[net.client], "ab", "-q", "-t", seconds, "-n", 10_000_000, "-c", 100, url, timeout=seconds + 60)
                if not re.search(r"Failed requests:\s+0\b", out) or "Non-2xx" in out:
                    raise RuntimeError(f"{case}, {name}: {out}")
                results[name] = float(re.search(r"Requests per second:\s+([\d.]+)", out).group(1))
            else:
                out = net.client.run(*words[net.client], "wrk", "-t", 2, "-c", 100, "-d", f"{seconds}s", url, timeout=seconds + 60)
                seen = load.read_wrk(out)
                if seen["status"] or seen["connect"] or seen["read"] or seen["write"]:
                    raise RuntimeError(f"{case}, {name}: {out}")
                results[name] = seen["requests_per_s"]
    return results


def table(results):
    """results: (tool, case, size) -> list of requests per second."""
    lines = []
    for tool, what in TOOLS.items():
        lines += [f"`{tool}`, {what}:", "", "| | " + " | ".join(SIZES) + " |", "|---|" + "---:|" * len(SIZES)]
        for case in CASES:
            cells = [f"{statistics.median(results[tool, case, size]):,.0f}" for size in SIZES]
            lines.append(f"| {case} | " + " | ".join(cells) + " |")
        lines.append("")
    return "\n".join(lines)


def draw(results, path):
    import matplotlib
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "braid"
    from matplotlib import pyplot
    figure, axes = pyplot.subplots(1, len(TOOLS), figsize=(10, 3.8), sharey=True)
    for axis, (tool, what) in zip(axes, TOOLS.items()):
        for number, (case, colour) in enumerate(zip(CASES, COLOURS)):
            heights = [statistics.median(results[tool, case, size]) for size in SIZES]
            axis.bar([i + (number - 2) * 0.16 for i in range(len(SIZES))], heights, 0.15, label=case, color=colour)
        axis.set_xticks(range(len(SIZES)), list(SIZES))
        axis.set_yscale("log")
        axis.set_ylim(bottom=min(statistics.median(values) for values in results.values()) / 2)  # no bar below the axis
        axis.set_title(f"{tool}: {what}", fontsize=10)
        axis.grid(axis="y", alpha=0.3)
        axis.set_axisbelow(True)
    axes[0].set_ylabel("requests per second")
    axes[0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--json", help="write every measurement there")
    parser.add_argument("--plot", help="write the picture there (SVG)")
    parser.add_argument("--from-json", help="draw and print an earlier run's measurements")
    options = parser.parse_args()
    results = {}
    if options.from_json:
        results = {tuple(key.split("|")): values for key, values in json.load(open(options.from_json)).items()}
    else:
        reason = lab.why_not()
        if reason:
            sys.exit(f"scripts/bench http: {reason}")
        for number in range(options.rounds):
            for case in CASES:
                for tool in TOOLS:
                    for size, rate in measure(case, tool, options.seconds).items():
                        results.setdefault((tool, case, size), []).append(rate)
                        print(f"round {number + 1}: {tool}, {case}, {size}: {rate:,.0f}/s", file=sys.stderr, flush=True)
    if options.json:
        json.dump({"|".join(key): values for key, values in results.items()}, open(options.json, "w"), indent=1)
    if options.plot:
        draw(results, options.plot)
    print(table(results))


if __name__ == "__main__":
    main()
