"""Draws the table of a sweep: plot_sweep.py TABLE.csv PICTURE KEYS [TITLE].

The first KEYS columns are what varied: the first is the x axis, each combination of the others a line. The picture's
name says its form: .svg or .png.
"""

import csv
import re
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plot  # noqa: E402

#: column, scale, unit, title
MEASURES = [("goodput_bits_per_s", 1e-6, "Mbit/s", "Goodput: what the applications receive"),
            ("delay_p50_s", 1e3, "ms", "Delay that the application sees: median"),
            ("delay_p95_s", 1e3, "ms", "Delay that the application sees: 95 %"),
            ("delay_p99_s", 1e3, "ms", "Delay that the application sees: 99 %"),
            ("retransmissions", 1, "segments", "Retransmissions"),
            ("wasted_bytes", 1e-6, "MB", "Wasted: sent more than once, or on more than one path")]
#: From the least to the most value, zero left out; beyond that a linear axis shows the largest only.
WIDE = 50


def numbers(texts):
    """([number], unit), if all are numbers with one unit, else None."""
    found = [re.fullmatch(r"\s*(-?\d+\.?\d*(?:e-?\d+)?)\s*([A-Za-z/%]*)\s*", text) for text in texts]
    units = {match.group(2) for match in found if match}
    if not all(found) or len(units) > 1:
        return None
    return [float(match.group(1)) for match in found], units.pop()


def value(row, column):
    return float(row[column]) if row.get(column) else None


def lines_of(rows, names):
    """label -> rows, in the order of the table"""
    lines = {}
    for row in rows:
        lines.setdefault(", ".join(f"{name.rsplit('.', 1)[-1]} {row[name]}" for name in names), []).append(row)
    return lines


def panel(axes, lines, positions, x, column, scale):
    for label, rows in lines.items():
        points = [(positions[row[x]], value(row, column) * scale, (value(row, column + "_sd") or 0) * scale)
                  for row in rows if value(row, column) is not None]
        points.sort()
        if not points:
            continue
        at, mean, deviation = zip(*points)
        bars = deviation if column + "_sd" in rows[0] else None
        axes.errorbar(at, mean, yerr=bars, label=label or None, marker="o", markersize=3.5, linewidth=1.2, capsize=3)


def main():
    with open(sys.argv[1], newline="") as file:
        table = list(csv.reader(file))
    keys = table[0][:int(sys.argv[3])]
    rows = [dict(zip(table[0], row)) for row in table[1:]]
    x = keys[0]
    texts = list(dict.fromkeys(row[x] for row in rows))
    numeric = numbers(texts)
    positions = dict(zip(texts, numeric[0] if numeric else range(len(texts))))
    unit = f" ({numeric[1]})" if numeric and numeric[1] else ""
    lines = lines_of(rows, keys[1:])
    measures = [m for m in MEASURES if any(value(row, m[0]) is not None for row in rows)]
    figure, all_axes = plot.subplots(len(measures), 1, sharex=True, figsize=(9, 2.6 * len(measures) + 1), squeeze=False)
    for (axes,), (column, scale, name, title) in zip(all_axes, measures):
        panel(axes, lines, positions, x, column, scale)
        axes.set_title(title, loc="left", fontsize=10)
        axes.set_ylabel(name)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=.3)
        if len(keys) > 1 and axes is all_axes[0][0]:  # the colours are the same in all
            axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=8, frameon=False)
    bottom = all_axes[-1][0]
    bottom.set_xlabel(x + unit)
    if numeric is None:
        bottom.set_xticks(range(len(texts)), texts)
    elif min(numeric[0]) > 0 and max(numeric[0]) / min(numeric[0]) >= WIDE:
        bottom.set_xscale("log")
    if len(sys.argv) > 4:
        figure.suptitle(sys.argv[4], x=.01, ha="left", fontsize=12)
    figure.tight_layout(rect=(0, 0, 1, 1 - .2 / figure.get_figheight()))
    # Without the date: the same table gives the same picture.
    metadata = {"Date": None} if sys.argv[2].endswith(".svg") else {"Software": None}
    matplotlib.rcParams["svg.hashsalt"] = "braid"
    figure.savefig(sys.argv[2], dpi=110, metadata=metadata)


if __name__ == "__main__":
    main()
