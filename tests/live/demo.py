"""Braid's main job, shown on this machine: see scripts/demo."""

import argparse
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import lab

RATES = [60, 40]  # Mbit/s
BAR = 34
PATIENCE = 180  # seconds for one transfer


def say(text=""):
    print(text, flush=True)


class Meter:
    """Throughput of each path, a line an interval; the picture is redrawn in place on a terminal."""

    def __init__(self, net, side):
        self.net, self.side = net, side
        self.last = [lab.path_bytes(side, path)[0] for path in range(net.paths)]
        self.at = time.monotonic()
        self.totals = [0] * net.paths
        self.begin = self.at
        self.samples = []  # (seconds, Mbit/s of each path)
        self.notes = []    # (seconds, text)

    def tick(self, note, done, total):
        now = time.monotonic()
        counts = [lab.path_bytes(self.side, path)[0] for path in range(self.net.paths)]
        elapsed = now - self.at
        line = f"  {100 * done / total:3.0f} %"
        self.samples.append((now - self.begin, [(c - b) * 8e-6 / elapsed for c, b in zip(counts, self.last)]))
        for path, (count, before) in enumerate(zip(counts, self.last)):
            mbit = (count - before) * 8e-6 / elapsed
            self.totals[path] += count - before
            filled = min(BAR // 2, round(mbit / max(RATES) * (BAR // 2)))
            line += f"   path {path + 1} {'#' * filled:<{BAR // 2}} {mbit:5.1f} Mbit/s"
        self.last, self.at = counts, now
        say(line + (f"   {note}" if note else ""))


def nginx_config(place):
    path = os.path.join(place, "nginx.conf")
    with open(path, "w") as file:
        file.write(f"""daemon off; pid {place}/pid; error_log {place}/error.log; worker_processes 2; user root;
events {{ worker_connections 512; }}
http {{ access_log off; sendfile on; client_body_temp_path {place}/1; proxy_temp_path {place}/2; fastcgi_temp_path {place}/3;
  uwsgi_temp_path {place}/4; scgi_temp_path {place}/5; server {{ listen 8080; root {place}; }} }}
""")
    return path


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def alone(mbit):
    """What TCP's payload gets of a path's rate: 1448 of 1514 octets a frame."""
    return mbit * 1448 / 1514


def act(title, client_words, server_words, client_kernel, place, size):
    say(f"\n{title}")
    with lab.Lab(len(RATES), rates=RATES) as net:
        kernel_side = net.client if client_kernel else net.server
        kernel_side.use_kernel_mptcp(signal=not client_kernel)
        url = f"http://{net.server.address()}:8080/file"
        nginx = net.server.start(*server_words, "nginx", "-c", nginx_config(place), stdout=subprocess.DEVNULL)
        probe = f"import socket; socket.create_connection(('{net.server.address()}', 8080), 1).close()"
        lab.wait_for(lambda: subprocess.run(net.client.command("/usr/bin/python3", "-c", probe),
                                            capture_output=True).returncode == 0, what="nginx")
        copy = os.path.join(place, "copy")
        if os.path.exists(copy):
            os.unlink(copy)
        say("  $ " + " ".join([*client_words, "curl", "-o", "copy", url]))
        curl = net.client.start(*client_words, "curl", "-sS", "-o", copy, url)
        meter, begin = Meter(net, net.client), time.monotonic()
        note, cut_at, restored = "", None, False
        longest, last_size, last_growth = 0.0, 0, begin
        next_line = begin + 1.0
        while curl.poll() is None:
            time.sleep(0.02)
            now = time.monotonic()
            got = os.path.getsize(copy) if os.path.exists(copy) else 0
            if got > last_size:
                longest, last_size, last_growth = max(longest, now - last_growth), got, now
            if cut_at is None and got > size * 0.3:
                net.cut(0)
                cut_at, note = now, "<- path 1 cut, nobody is told"
                meter.notes.append((now - begin, "path 1 cut"))
            elif cut_at is not None and not restored and (got > size * 0.6 or now > cut_at + 15):
                net.restore(0)
                restored, note = True, "<- path 1 restored"
                meter.notes.append((now - begin, "restored"))
            if now > begin + PATIENCE:
                raise SystemExit(f"The transfer did not end within {PATIENCE} s: {got} of {size} octets came.")
            if now >= next_line:
                meter.tick(note, got, size)
                note, next_line = "", now + 1.0
        seconds = time.monotonic() - begin
        meter.tick(note, last_size, size)
        if curl.returncode != 0:
            raise SystemExit(f"curl failed: {curl.stderr.read().decode()}")
        same = sha256(copy) == sha256(os.path.join(place, "file"))
        total = sum(meter.totals)
        say(f"\n  {size / 1e6:.0f} MB in {seconds:.1f} s; SHA-256 {'is the same' if same else 'DIFFERS'}; "
            f"longest stall {longest * 1000:.0f} ms")
        for path, octets in enumerate(meter.totals):
            say(f"  path {path + 1} ({RATES[path]} Mbit/s): {octets / 1e6:6.1f} MB on the wire, {100 * octets / total:4.1f} %")
        goodput = size * 8e-6 / seconds
        best = max(alone(rate) for rate in RATES)
        say(f"  goodput {goodput:.1f} Mbit/s, with path 1 away for a part of it; each path alone, never cut, could do "
            + " and ".join(f"{alone(rate):.1f}" for rate in RATES) + f": {goodput / best:.2f} times the better one")
        return same, meter


def plot(path, acts):
    """Draws the throughput of each path over time, an act a panel."""
    import matplotlib
    matplotlib.use("svg")
    import matplotlib.pyplot as pyplot
    figure, panels = pyplot.subplots(len(acts), 1, figsize=(8, 2.6 * len(acts)), sharex=True, sharey=True)
    for panel, (title, meter) in zip(panels, acts):
        times = [at for at, _ in meter.samples[:-1]]
        rates = [[sample[path] for _, sample in meter.samples[:-1]] for path in range(len(RATES))]
        panel.stackplot(times, rates, labels=[f"path {i + 1} ({rate} Mbit/s)" for i, rate in enumerate(RATES)],
                        colors=["#4c78a8", "#f2a65a"])
        for at, text in meter.notes:
            panel.axvline(at, color="black", linewidth=0.8, linestyle="--")
            panel.annotate(text, (at, sum(RATES) * 1.03), xytext=(3, 0), textcoords="offset points", fontsize=9)
        panel.set_title(title, fontsize=10, loc="left")
        panel.set_ylabel("Mbit/s received")
        panel.set_ylim(0, sum(RATES) * 1.15)
        panel.margins(x=0)
    panels[0].legend(loc="lower right", fontsize=8)
    panels[-1].set_xlabel("seconds")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def main():
    parser = argparse.ArgumentParser(description="Unmodified curl and nginx over Braid, against the kernel's MPTCP.")
    parser.add_argument("--megabytes", type=int, default=256)
    parser.add_argument("--plot", metavar="FILE.svg", help="draw both paths' throughput over time")
    options = parser.parse_args()
    reason = lab.why_not()
    if reason:
        raise SystemExit(f"scripts/demo {reason}.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    place = tempfile.mkdtemp(prefix="braid-demo-")
    os.chmod(place, 0o755)
    try:
        size = options.megabytes << 20
        with open(os.path.join(place, "file"), "wb") as file:
            for _ in range(options.megabytes):
                file.write(os.urandom(1 << 20))
        say("Two hosts (network namespaces), two paths: "
            + ", ".join(f"path {i + 1} of {rate} Mbit/s" for i, rate in enumerate(RATES)) + ".")
        titles = ("curl on Braid  <-  nginx on the Linux kernel's MPTCP", "curl on the Linux kernel's MPTCP  <-  nginx on Braid")
        first, first_meter = act("1. " + titles[0], lab.braid_run(), lab.MPTCPIZE, False, place, size)
        second, second_meter = act("2. " + titles[1], lab.MPTCPIZE, lab.braid_run(), True, place, size)
        if options.plot:
            plot(options.plot, list(zip(titles, (first_meter, second_meter))))
        good = first and second
        return 0 if good else 1
    finally:
        shutil.rmtree(place, ignore_errors=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
