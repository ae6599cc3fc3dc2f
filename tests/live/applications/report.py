"""Runs applications and says what came of it: rows for programs, docs/applications.md for people."""

import os
import re
import shutil
import subprocess
import time
import traceback

import lab
from applications.registry import APPLICATIONS, PAIRINGS, Explained
from applications.stage import Failed, Stage

PAGE = os.path.join(lab.ROOT, "docs", "applications.md")


def version_of(application):
    done = subprocess.run(application.version, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    found = re.search(r"\d+\.\d+[\w.]*", done.stdout)
    return found.group() if found else "?"


def chosen(only=None, quick=False):
    return [a for a in APPLICATIONS if (not only or a.name in only) and (not quick or a.quick)]


def run_one(application, stage):
    """One row."""
    row = {"program": application.program, "name": application.name, "version": version_of(application), "braid": stage.pairing,
           "peer": "Braid" if stage.pairing == "both" else "kernel MPTCP", "what": application.what}
    begin = time.monotonic()
    try:
        row |= {"result": "works", **stage.measure(application.run)}
    except Explained as error:
        row |= {"result": "explained", "why": str(error)}
    except (Failed, TimeoutError, RuntimeError, OSError) as error:
        row |= {"result": "fails", "why": str(error)}
    except Exception:  # of the test itself
        row |= {"result": "fails", "why": traceback.format_exc()}
    return row | {"seconds": round(time.monotonic() - begin, 1)}


def run_all(applications, pairings=tuple(PAIRINGS), tell=lambda row: None):
    """Every application in each of its pairings."""
    for application in applications:
        missing = [need for need in application.needs if shutil.which(need) is None]
        if missing:
            raise SystemExit(f"scripts/applications: {', '.join(missing)} is missing: scripts/setup --applications installs it")
    rows = []
    for pairing in pairings:
        mine = [a for a in applications if pairing in a.roles]
        if not mine:
            continue
        with Stage(pairing) as stage:
            for application in mine:
                rows.append(run_one(application, stage))
                tell(rows[-1])
    order = {a.name: number for number, a in enumerate(APPLICATIONS)}
    return sorted(rows, key=lambda row: (order[row["name"]], list(PAIRINGS).index(row["braid"])))


ROLES = {"client": "client", "server": "server", "both": "client and server"}


def subflows_of(row):
    """In words: how many connections had more than their first subflow, and what went by each path."""
    if row["result"] != "works":
        return ""
    total = sum(row["path_bytes"])
    if row["mptcp_connections"] == 0:
        return "none of TCP"
    shares = " : ".join(f"{100 * octets / total:.0f}" for octets in row["path_bytes"])
    return f"{row['mptcp_connections']:,} + {row['joins']:,}; {shares} %"


def table(rows):
    lines = ["| program | version | on Braid | peer | result | subflows | what was run |", "|---|---|---|---|---|---|---|"]
    previous = None
    for row in rows:
        what = row["what"] if row["name"] != previous else "the same"
        previous = row["name"]
        why = f": {row['why'].splitlines()[0][:200]}" if row["result"] != "works" else ""
        lines.append(f"| {row['program']} | {row['version']} | {ROLES[row['braid']]} | {row['peer']} | {row['result']}{why} | "
                     f"{subflows_of(row)} | {what} |")
    return "\n".join(lines) + "\n"


def write_page(rows):
    """The table takes the place of the one in the page; what people have written around it stays."""
    with open(PAGE) as file:
        text = file.read()
    begin, end = "<!-- table: scripts/applications -->\n", "<!-- end of the table -->\n"
    before, rest = text.split(begin)
    with open(PAGE, "w") as file:
        file.write(before + begin + table(rows) + end + rest.split(end)[1])
