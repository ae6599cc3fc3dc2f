"""What a daemon bears: many connections at once, very many in turn, and its own restart. scripts/load runs it at full size,
tests/live/test_load.py a small version of it."""

import argparse
import json
import os
import re
import signal
import socket
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "live"))
import lab  # noqa: E402

PORT = 8080


class Daemon:
    """`braid daemon` on one side, with room for `connections` to one server."""

    def __init__(self, side, place, connections=500):
        self.side = side
        self.socket = os.path.join(place, f"{side.name}.sock")
        self.config = os.path.join(place, f"{side.name}.toml")
        block = max(500, connections + 1000)
        with open(self.config, "w") as file:
            file.write(f'[network]\nports = "{65000 - block}-64999"\nports_per_instance = {block}\n')
        self.log = open(os.path.join(place, f"{side.name}.log"), "a+")
        self.start()

    def start(self):
        self.process = self.side.start(lab.braid_binary(), "daemon", "--config", self.config, "--socket", self.socket,
                                       stderr=self.log)
        lab.wait_for(lambda: self.process.poll() is not None or self.is_ready(), what="the daemon")
        if self.process.poll() is not None:
            raise RuntimeError(f"the daemon did not start: {self.messages()}")

    def is_ready(self):
        return os.path.exists(self.socket + ".app") and self.ask("ss", "--json", check=False).startswith("{")

    def ask(self, *words, **options):
        return lab.run(lab.braid_binary(), *words, env={**os.environ, "BRAID_SOCKET": self.socket}, **options)

    def words(self):
        """In front of a program: on this daemon."""
        return ["env", f"BRAID_SOCKET={self.socket}", lab.braid_binary(), "run", "--"]

    def status(self):
        """By the control socket itself: `ss` with thousands of connections would be a load of its own."""
        with socket.socket(socket.AF_UNIX) as control:
            control.connect(self.socket)
            control.sendall(b'{"command": "status"}\n')
            return json.loads(control.makefile().readline())["result"]

    def connections(self):
        return self.status()["connections"]

    def counters(self):
        return json.loads(self.ask("counters", "--json"))

    def pid(self):
        """`ip netns exec` executes in place: the process is the daemon."""
        return self.process.pid

    def memory_kib(self):
        text = open(f"/proc/{self.pid()}/status").read()
        return int(re.search(r"VmRSS:\s+(\d+)", text).group(1))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid()}/fd"))

    def cpu_seconds(self):
        fields = open(f"/proc/{self.pid()}/stat").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        self.process.wait(timeout=20)

    def messages(self):
        self.log.flush()
        return open(self.log.name).read()


def start_nginx(side, place, words=(), listens=None):
    """With room for as many connections as the machine lets it have; returns once it answers."""
    config = os.path.join(place, "nginx.conf")
    with open(config, "w") as file:
        file.write(f"""
daemon off; pid {place}/nginx.pid; error_log {place}/error.log warn; worker_processes 2; user root;
worker_rlimit_nofile 65536;
events {{ worker_connections 16384; }}
http {{
  access_log off; sendfile on; keepalive_requests 1000000; client_body_temp_path {place}/b; proxy_temp_path {place}/p;
  fastcgi_temp_path {place}/f; uwsgi_temp_path {place}/u; scgi_temp_path {place}/s;
  server {{ listen {PORT} backlog=8192; root {place}; }}
}}
""")
    nginx = side.start(*words, "nginx", "-c", config)
    listens = listens or (lambda: f":{PORT} " in side.run("ss", "-Hltn"))
    lab.wait_for(lambda: nginx.poll() is not None or listens(), what="nginx")
    if nginx.poll() is not None:
        raise RuntimeError(f"nginx ended: {nginx.communicate()}")
    return nginx


def write_page(place, size=1024):
    with open(os.path.join(place, "page"), "wb") as file:
        file.write(os.urandom(size))


def read_wrk(text):
    """What wrk saw: requests per second, requests, and errors of each kind."""
    result = {"requests_per_s": float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1)),
              "requests": int(re.search(r"(\d+) requests in", text).group(1)),
              "connect": 0, "read": 0, "write": 0, "timeout": 0, "status": 0}
    errors = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    if errors:
        result.update(zip(("connect", "read", "write", "timeout"), map(int, errors.groups())))
    status = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    result["status"] = int(status.group(1)) if status else 0
    return result


def concurrent(connections, seconds, braid_side="client"):
    """wrk keeps so many connections open at once, through one daemon of Braid's on `braid_side`; kernel MPTCP opposite."""
    with tempfile.TemporaryDirectory(prefix="braid-load-") as place, lab.Lab(2) as net:
        os.chmod(place, 0o755)
        write_page(place)
        side = net.client if braid_side == "client" else net.server
        for each in (net.client, net.server):
            each.sysctl(net__core__somaxconn=16384, net__ipv4__tcp_max_syn_backlog=16384)
        daemon = Daemon(side, place, connections)
        idle = {"memory_kib": daemon.memory_kib(), "descriptors": daemon.descriptors()}
        if braid_side == "client":
            net.server.use_kernel_mptcp(signal=True)
            start_nginx(net.server, place, lab.MPTCPIZE)
            words = daemon.words()
        else:
            net.client.use_kernel_mptcp()
            start_nginx(net.server, place, daemon.words(), lambda: daemon.ask("ss").count(f":{PORT}"))
            words = lab.MPTCPIZE
        command = ["wrk", "-t", 2, "-c", connections, "-d", f"{seconds}s", "--timeout", "20s",
                   f"http://{net.server.address()}:{PORT}/page"]
        wrk = net.client.start("bash", "-c", 'ulimit -n "$(ulimit -Hn)"; exec "$@"', "-", *words, *command)
        most, peak_memory, peak_descriptors = 0, 0, 0
        while wrk.poll() is None:
            most = max(most, daemon.connections())
            peak_memory = max(peak_memory, daemon.memory_kib())
            peak_descriptors = max(peak_descriptors, daemon.descriptors())
            time.sleep(0.3)
        out, err = wrk.communicate()
        if wrk.returncode != 0:
            raise RuntimeError(f"wrk: {out.decode()}{err.decode()}{daemon.messages()}")
        result = read_wrk(out.decode())
        result.update(braid=braid_side, connections=connections, most_at_once=most, idle=idle,
                      peak={"memory_kib": peak_memory, "descriptors": peak_descriptors},
                      cpu_s=round(daemon.cpu_seconds(), 1), warnings=daemon.messages().strip().splitlines()[-5:])
        lab.wait_for(lambda: daemon.descriptors() <= idle["descriptors"] + (30 if braid_side == "server" else 5), 90, "the descriptors to be closed")
        result["after"] = {"memory_kib": daemon.memory_kib(), "descriptors": daemon.descriptors()}
        return result


def sequential(connections, batch=None):
    """So many connections, few at once, each with a request of its own; what the daemons hold before and after."""
    batch = batch or max(1, connections // 10)
    with tempfile.TemporaryDirectory(prefix="braid-load-") as place, lab.Lab(2) as net:
        os.chmod(place, 0o755)
        write_page(place)
        server, client = Daemon(net.server, place), Daemon(net.client, place, 8000)
        start_nginx(net.server, place, server.words(), lambda: server.ask("ss").count(f":{PORT}"))
        rows, done, failed = [], 0, 0

        def note():
            lab.wait_for(lambda: client.connections() + server.connections() == 0, 90, "the connections to end")
            rows.append({"connections": done, "failed": failed,
                         "client": {"memory_kib": client.memory_kib(), "descriptors": client.descriptors()},
                         "server": {"memory_kib": server.memory_kib(), "descriptors": server.descriptors()}})
            return rows[-1]

        note()
        begin = time.monotonic()
        while done < connections:
            out = net.client.run(*client.words(), "ab", "-q", "-r", "-s", 60, "-n", batch, "-c", 10,
                                 f"http://{net.server.address()}:{PORT}/page", timeout=600)
            done += int(re.search(r"Complete requests:\s+(\d+)", out).group(1))
            failed += int(re.search(r"Failed requests:\s+(\d+)", out).group(1))
            yield note()
        yield {"seconds": round(time.monotonic() - begin, 1), "rows": rows, "client_log": client.messages(), "server_log": server.messages()}


def restart(how=signal.SIGTERM):
    """The daemon goes while a program is in the middle of a download: what the program is told, and whether new ones run."""
    with tempfile.TemporaryDirectory(prefix="braid-load-") as place, lab.Lab(2, rates=[20, 20]) as net:
        os.chmod(place, 0o755)
        write_page(place, 64 << 20)
        net.server.use_kernel_mptcp(signal=True)
        start_nginx(net.server, place, lab.MPTCPIZE)
        daemon = Daemon(net.client, place)
        url = f"http://{net.server.address()}:{PORT}/page"
        curl = net.client.start(*daemon.words(), "curl", "-sS", "-o", os.path.join(place, "copy"), url)
        copy = os.path.join(place, "copy")
        lab.wait_for(lambda: os.path.exists(copy) and os.path.getsize(copy) > 1 << 20, 20, "the download to run")
        daemon.stop(how)
        _, err = curl.communicate(timeout=20)
        first = {"exit": curl.returncode, "message": err.decode().strip()}
        alone = lab.subprocess.run(net.client.command(*daemon.words(), "curl", "-sS", "-o", copy, "--range", "0-99999", url),
                                   capture_output=True, text=True, timeout=60)
        without = {"exit": alone.returncode, "message": alone.stderr.strip()}
        daemon.start()
        again = lab.subprocess.run(net.client.command(*daemon.words(), "curl", "-sS", "-o", copy, "--range", "0-99999", url),
                                   capture_output=True, text=True, timeout=60)
        return {"during": first, "without": without, "after": {"exit": again.returncode, "message": again.stderr.strip(), "bytes": os.path.getsize(copy)},
                "connections": daemon.counters().get("MPTcpExtMPCapableSYNACKRX", 0)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=["all", "concurrent", "sequential", "restart"], default="all")
    parser.add_argument("--concurrent", type=int, default=5000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--sequential", type=int, default=100_000)
    options = parser.parse_args()
    reason = lab.why_not()
    if reason:
        sys.exit(f"scripts/load: {reason}")
    if options.what in ("all", "concurrent"):
        for side in ("client", "server"):
            print(json.dumps(concurrent(options.concurrent, options.seconds, side)), flush=True)
    if options.what in ("all", "sequential"):
        for row in sequential(options.sequential):
            print(json.dumps(row), flush=True)
    if options.what in ("all", "restart"):
        for how in (signal.SIGTERM, signal.SIGKILL):
            print(json.dumps({"signal": how.name, **restart(how)}), flush=True)


if __name__ == "__main__":
    main()
