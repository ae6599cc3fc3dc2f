"""Draws the time series of a simulation: plot.py SERIES.csv PICTURE [TITLE]. The picture's name says its form: .svg or .png."""

import collections
import csv
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plot  # noqa: E402

#: More lines than that nobody tells apart; then there is one line for their sum or their mean.
MOST_LINES = 8


def read(path):
    """quantity -> subject -> ([time], [value])"""
    series = collections.defaultdict(lambda: collections.defaultdict(lambda: ([], [])))
    with open(path, newline="") as file:
        for row in csv.DictReader(file):
            times, values = series[row["quantity"]][row["subject"]]
            times.append(float(row["time_s"]))
            values.append(float(row["value"]))
    return series


def fold(lines, how):
    """The lines as they are, or one in their place."""
    if len(lines) <= MOST_LINES:
        return lines
    at = collections.defaultdict(list)
    for times, values in lines.values():
        for time, value in zip(times, values):
            at[time].append(value)
    times = sorted(at)
    combine = {"sum": sum, "mean": lambda v: sum(v) / len(v)}[how]
    return {f"{how} of {len(lines)}": (times, [combine(at[time]) for time in times])}


def panel_rates(axes, series):
    subflows, connections = series["rate"], series["goodput"]
    is_one = len(connections) == 1
    lines = subflows if is_one and len(subflows) <= MOST_LINES else fold(connections, "sum")
    if is_one and len(subflows) <= MOST_LINES:
        grid = sorted({time for times, _ in subflows.values() for time in times})
        stacks = []
        for times, values in subflows.values():
            known = dict(zip(times, values))
            stacks.append([known.get(time, 0) / 1e6 for time in grid])
        axes.stackplot(grid, stacks, labels=[name.split(" ", 2)[-1] for name in subflows], alpha=.75)
        times, values = next(iter(connections.values()))
        axes.plot(times, [value / 1e6 for value in values], color="black", linewidth=1, label="delivered")
        axes.set_title("What each subflow sends, one upon the other, and what the application receives", loc="left", fontsize=10)
    else:
        for name, (times, values) in lines.items():
            axes.plot(times, [value / 1e6 for value in values], label=name)
        axes.set_title("What the applications receive", loc="left", fontsize=10)
    axes.set_ylabel("Mbit/s")


def panel(axes, is_one, lines, how, scale, unit, title):
    for name, (times, values) in fold(lines, how).items():
        axes.plot(times, [value / scale for value in values], linewidth=1.2,
                  label=(name.replace("connection 1 ", "") if is_one else name).replace("link ", ""))
    axes.set_ylabel(unit)
    axes.set_title(title, loc="left", fontsize=10)


def main():
    series = read(sys.argv[1])
    queues = {name: line for name, line in series["queue"].items() if any(line[1])}
    kinds = [(series["cwnd"], "mean", 1e3, "KB", "Congestion window of each subflow"),
             (series["srtt"], "mean", 1, "ms", "Round-trip time of each subflow, smoothed"),
             (queues, "mean", 1e3, "KB", "Queue of each link")]
    kinds = [kind for kind in kinds if kind[0]]
    figure, all_axes = plot.subplots(1 + len(kinds), 1, sharex=True, figsize=(10, 2.6 * (1 + len(kinds))), squeeze=False)
    panel_rates(all_axes[0][0], series)
    for axes, kind in zip(all_axes[1:], kinds):
        panel(axes[0], len(series["goodput"]) == 1, *kind)
    for axes in all_axes:
        axes[0].set_ylim(bottom=0)
        axes[0].margins(x=0)
        axes[0].grid(alpha=.3)
        axes[0].legend(loc="upper left", bbox_to_anchor=(1.01, 1), fontsize=8, frameon=False)
    all_axes[-1][0].set_xlabel("seconds")
    if len(sys.argv) > 3:
        figure.suptitle(sys.argv[3], x=.01, ha="left", fontsize=12)
    figure.tight_layout()
    # Without the date: the same run gives the same picture.
    metadata = {"Date": None} if sys.argv[2].endswith(".svg") else {"Software": None}
    matplotlib.rcParams["svg.hashsalt"] = "braid"
    figure.savefig(sys.argv[2], dpi=110, metadata=metadata)


if __name__ == "__main__":
    main()
