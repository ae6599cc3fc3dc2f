#!/usr/bin/python3
"""Draws what `bench_path_pairs --csv` wrote: how large a share of the pairs stays below which ratio.

    bench/paths/plot_pairs.py pairs.csv... docs/performance/path-pairs.svg
"""

import csv
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plot  # noqa: E402


def main() -> None:
    if len(sys.argv) < 3 or sys.argv[1] in ("-h", "--help"):
        sys.exit(__doc__)
    plot.rcParams["svg.hashsalt"] = "braid"  # the same file from the same figures
    ratios = sorted(float(row["ratio"]) for name in sys.argv[1:-1] for row in csv.DictReader(open(name)))
    shares = [(i + 1) / len(ratios) * 100 for i in range(len(ratios))]
    figure, axes = plot.subplots(figsize=(7, 3.6))
    axes.step(ratios, shares, where="post")
    axes.axvline(0.95, color="grey", linestyle="--", linewidth=0.8)
    axes.axhline(1, color="grey", linestyle="--", linewidth=0.8)
    axes.set_yscale("log")
    axes.set_ylim(100 / len(ratios), 100)
    axes.set_xlim(min(ratios) - 0.02, 2)
    axes.set_xlabel("goodput over both paths to that of TCP over the better alone")
    axes.set_ylabel(f"% of {len(ratios)} pairs at or below")
    figure.tight_layout()
    figure.savefig(sys.argv[-1], metadata={"Date": None})


if __name__ == "__main__":
    main()
