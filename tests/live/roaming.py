"""scp and an ssh session on a laptop that roams: see scripts/roaming."""

import argparse
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import lab
from nat_lab import DEVICES, SERVER, NatLab, Up

RATES = [60, 40]  # Mbit/s
SAMPLE_S = 0.25
PORT = 2222
#: The session's far end: a line a second by itself, and an answer to each line that comes.
FAR_END = r"""
import os, sys, threading, time
def say(*words):  # whole lines: two threads write
    os.write(1, (" ".join(map(str, words)) + "\n").encode())
def tick():
    number = 0
    while True:
        say("tick", number); number += 1; time.sleep(1)
threading.Thread(target=tick, daemon=True).start()
for line in sys.stdin:
    if line.strip() == "end": break
    say("echo", line.strip())
say("bye")
"""


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


class Session:
    """A long ssh session: lines both ways, each of which has to come, once, in order."""

    def __init__(self, net, words, options, place):
        with open(f"{place}/far_end.py", "w") as file:
            file.write(FAR_END)
        self.process = net.client.start(*words, "ssh", "-T", "-p", PORT, *options, f"root@{SERVER[4]}",
                                        f"/usr/bin/python3 -u {place}/far_end.py", stdin=subprocess.PIPE)
        self.ticks, self.echoes, self.sent, self.is_over = [], [], 0, False
        self.longest_gap, self.wrong = 0.0, []
        self.said_bye = False
        self.threads = [threading.Thread(target=work, daemon=True) for work in (self._read, self._write)]
        for thread in self.threads:
            thread.start()

    def _read(self):
        last = None
        for line in self.process.stdout:
            now = time.monotonic()
            words = line.decode().split()
            if words == ["bye"]:
                self.said_bye = True
                break
            seen = {"tick": self.ticks, "echo": self.echoes}.get(words[0] if words else "")
            if seen is None or words[-1] != str(len(seen)):
                self.wrong.append(line)
                continue
            seen.append(now)
            if last is not None:
                self.longest_gap = max(self.longest_gap, now - last)
            last = now

    def _write(self):
        while not self.is_over and self.process.poll() is None:
            try:
                self.process.stdin.write(f"{self.sent}\n".encode())
                self.process.stdin.flush()
            except (BrokenPipeError, ValueError):
                return
            self.sent += 1
            time.sleep(1)

    def end(self):
        self.is_over = True
        self.threads[1].join(5)
        try:
            self.process.stdin.write(b"end\n")
            self.process.stdin.close()
        except (BrokenPipeError, ValueError):
            pass
        self.threads[0].join(30)
        try:
            status = self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            status = None
        error = self.process.stderr.read().decode() if status is not None else "it does not end"
        is_whole = self.said_bye and status == 0 and not self.wrong and len(self.echoes) == self.sent and len(self.ticks) > 0
        return {"survived": is_whole, "lines_there": self.sent, "echoes": len(self.echoes), "ticks": len(self.ticks),
                "longest_gap_s": round(self.longest_gap, 2), "error": error.strip() or "".join(map(str, self.wrong))}


class Journey:
    """What happens to the uplinks, in turn, each at a share of the file."""

    def __init__(self, net, away):
        self.net, self.away = net, away
        self.events = []  # (seconds, text)
        self.begin = time.monotonic()
        self.steps = [
            (0.10, "uplink 1 gone", lambda: net.carrier(0, False)),
            (0.25, "back", lambda: self._back(0, 0)),
            (0.40, "uplink 2 gone", lambda: net.vanish(1)),
            (0.55, "back, elsewhere", lambda: net.appear(1, place=1)),
            (0.70, "both gone", self._both_gone),
        ]
        self.return_at = None

    def _back(self, uplink, place):
        self.net.carrier(uplink, True)
        self.net.assign_again(uplink, place)

    def _both_gone(self):
        self.net.carrier(0, False)
        self.net.vanish(1)
        self.return_at = time.monotonic() + self.away

    def step(self, share):
        """Does what is due; a line to show, or None."""
        now = time.monotonic()
        text = None
        if self.return_at is not None and now >= self.return_at:
            self.return_at, text = None, "both back"
            self._back(0, 0)
            self.net.appear(1, place=0)
        elif self.steps and self.return_at is None and share >= self.steps[0][0]:
            _, text, act = self.steps.pop(0)
            act()
        if text:
            self.events.append((now - self.begin, text))
        return text

    def is_done(self):
        return not self.steps and self.return_at is None


def start_sshd(net, words, place):
    for key in ("host", "id"):
        lab.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{place}/{key}")
    shutil.copy(f"{place}/id.pub", f"{place}/authorized")
    os.makedirs("/run/sshd", exist_ok=True)
    sshd = net.server.start(*words, "/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-p", PORT, "-h", f"{place}/host",
                            "-o", f"AuthorizedKeysFile={place}/authorized", "-o", "StrictModes=no", "-o", f"PidFile={place}/pid",
                            "-o", "UsePAM=no", "-o", "PermitRootLogin=yes", "-o", "Subsystem=sftp internal-sftp",
                            stdout=subprocess.DEVNULL, stderr=open(f"{place}/sshd.log", "w"))
    probe = f"import socket; socket.create_connection(('{SERVER[4]}', {PORT}), 1).close()"
    lab.wait_for(lambda: subprocess.run(net.client.command("/usr/bin/python3", "-c", probe), capture_output=True).returncode == 0,
                 20, "sshd")
    return sshd


def wait_for_scp(net, scp, copy, size, journey, patience, say):
    """Until it ends; the samples of throughput, the longest time in which the file did not grow (and the longest outside of the
    time in which there was no uplink at all)."""
    samples, last = [], [sum(net.wan_bytes(u)) for u in (0, 1)]
    at = begin = journey.begin = time.monotonic()
    grown, got, stalls = begin, 0, []
    next_line = begin + 2
    while scp.poll() is None:
        time.sleep(0.02)
        now = time.monotonic()
        new = os.path.getsize(copy) if os.path.exists(copy) else 0
        if new > got:
            stalls.append((now - grown, grown - begin))
            got, grown = new, now
        text = journey.step(got / size)
        now = time.monotonic()  # that may have taken a while
        if now - at >= SAMPLE_S:
            counts, now = [sum(net.wan_bytes(u)) for u in (0, 1)], time.monotonic()
            samples.append((now - begin, [(c - b) * 8e-6 / (now - at) for c, b in zip(counts, last)]))
            last, at = counts, now
        if text or (now >= next_line and samples):
            rates = samples[-1][1] if samples else [0, 0]
            say(f"  {now - begin:5.1f} s  {100 * got / size:3.0f} %   " +
                "   ".join(f"uplink {i + 1} {rate:5.1f} Mbit/s" for i, rate in enumerate(rates)) + (f"   <- {text}" if text else ""))
            next_line = now + 2
        if now > begin + patience:
            raise TimeoutError(f"the copy is not over after {patience} s: {got} of {size} octets")
    return samples, max(stalls, default=(0, 0)), time.monotonic() - begin


def roam(size, away, peer="braid", download=False, rates=RATES, say=print):
    """One journey; what came of it, as a dictionary."""
    place = tempfile.mkdtemp(prefix="braid-roaming-")
    os.chmod(place, 0o755)
    try:
        with open(f"{place}/file", "wb") as file:
            for at in range(0, size, 1 << 20):
                file.write(os.urandom(min(1 << 20, size - at)))
        with NatLab(rates=rates) as net, Up(net.client, place) as up:
            net.server.run("ip", "mptcp", "limits", "set", "subflows", "8", "add_addr_accepted", "8")
            start_sshd(net, lab.MPTCPIZE if peer == "kernel" else lab.braid_run("--interface", "eth0"), place)
            options = ["-i", f"{place}/id", "-o", "StrictHostKeyChecking=no", "-o", f"UserKnownHostsFile={place}/known",
                       "-o", "BatchMode=yes", "-q"]
            session = Session(net, up.run(), options, place)
            try:
                lab.wait_for(lambda: session.ticks or session.process.poll() is not None, 20, "the ssh session")
            except TimeoutError as error:
                raise TimeoutError(f"{error}\n{up.call('ss').stdout}\n{open(place + '/sshd.log').read()}") from None
            there, copy = f"root@{SERVER[4]}:", f"{place}/copy"
            ends = (there + f"{place}/file", copy) if download else (f"{place}/file", there + copy)
            scp = net.client.start(*up.run(), "scp", "-P", PORT, *options, *ends)
            journey = Journey(net, away)
            patience = 60 + away + 4 * size * 8e-6 / sum(rates)
            samples, (stall, stall_at), seconds = wait_for_scp(net, scp, copy, size, journey, patience, say)
            said = scp.stderr.read().decode()
            done = session.end()
        is_same = scp.returncode == 0 and sha256(copy) == sha256(f"{place}/file")
        return {"peer": peer, "direction": "download" if download else "upload", "bytes": size, "seconds": round(seconds, 2),
                "scp_exit": scp.returncode, "scp_said": said.strip(), "sha256_same": is_same, "events_done": journey.is_done(),
                "longest_stall_s": round(stall, 2), "stall_at_s": round(stall_at, 2), "both_away_s": away, "session": done,
                "events": journey.events, "samples": samples}
    finally:
        shutil.rmtree(place, ignore_errors=True)


def plot(path, results):
    import matplotlib
    matplotlib.use("svg")
    import matplotlib.pyplot as pyplot
    figure, panels = pyplot.subplots(len(results), 1, figsize=(9, 2.9 * len(results)), squeeze=False)
    for panel, result in zip(panels[:, 0], results):
        times = [at for at, _ in result["samples"]]
        rates = [[sample[path] for _, sample in result["samples"]] for path in (0, 1)]
        panel.stackplot(times, rates, colors=["#4c78a8", "#f2a65a"],
                        labels=[f"uplink {i + 1}: {DEVICES[i]}, {rate} Mbit/s" for i, rate in enumerate(RATES)])
        for number, (at, text) in enumerate(result["events"]):
            panel.axvline(at, color="black", linewidth=0.8, linestyle="--")
            panel.annotate(text, (at, sum(RATES) * (1.16 - 0.09 * (number % 2))), xytext=(3, 0), textcoords="offset points", fontsize=8)
        panel.set_title(f"{result['bytes'] / 1e6:.0f} MB scp {result['direction']}, server on "
                        f"{'the Linux kernel' if result['peer'] == 'kernel' else 'Braid'}: longest stall "
                        f"{result['longest_stall_s']} s with both away for {result['both_away_s']} s", fontsize=10, loc="left")
        panel.set_ylabel("Mbit/s")
        panel.set_ylim(0, sum(RATES) * 1.28)
        panel.margins(x=0)
    panels[0, 0].legend(loc="lower right", fontsize=8)
    panels[-1, 0].set_xlabel("seconds")
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})


def report(result):
    session = result["session"]
    print(f"\n  scp: exit {result['scp_exit']}, {result['bytes'] / 1e6:.0f} MB in {result['seconds']} s; SHA-256 "
          f"{'is the same' if result['sha256_same'] else 'DIFFERS'}; longest stall {result['longest_stall_s']} s (from second "
          f"{result['stall_at_s']}; both uplinks were away for {result['both_away_s']} s)")
    print(f"  ssh session: {'survived' if session['survived'] else 'LOST'}; {session['lines_there']} lines there, {session['echoes']} echoes "
          f"and {session['ticks']} lines back, all in order; longest silence {session['longest_gap_s']} s")
    for text in (result["scp_said"], session["error"]):
        if text:
            print("  " + text)
    return result["sha256_same"] and session["survived"] and result["events_done"]


def main():
    parser = argparse.ArgumentParser(prog="scripts/roaming", description="scp and an ssh session survive: uplink 1 goes and returns, "
                                     "uplink 2 goes and returns with another address, both are away at once.")
    parser.add_argument("--size", type=int, default=500, help="MB that scp copies [500]")
    parser.add_argument("--away", type=float, default=20, help="seconds for which both uplinks are away [20]")
    parser.add_argument("--peer", choices=["braid", "kernel", "both"], default="both", help="what the server's TCP is [both]")
    parser.add_argument("--direction", choices=["upload", "download"], default="upload")
    parser.add_argument("--plot", metavar="FILE.svg", help="draw the throughput of each uplink, and the events")
    parser.add_argument("--json", metavar="FILE", help="everything that was measured")
    options = parser.parse_args()
    if reason := lab.why_not():
        raise SystemExit(f"scripts/roaming {reason}.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    results = []
    for peer in ["braid", "kernel"] if options.peer == "both" else [options.peer]:
        print(f"\nscp {options.direction} from a laptop on Braid, server on {'the kernel MPTCP' if peer == 'kernel' else 'Braid'}", flush=True)
        results.append(roam(options.size * 1000 * 1000, options.away, peer, options.direction == "download",
                            say=lambda text: print(text, flush=True)))
        report(results[-1])
    if options.plot:
        plot(options.plot, results)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(results, file, indent=1)
    good = all(r["sha256_same"] and r["session"]["survived"] and r["events_done"] for r in results)
    print("\n" + ("All survived." if good else "Something was lost: see above."))
    return 0 if good else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
