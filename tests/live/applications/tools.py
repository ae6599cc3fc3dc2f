"""Small tools of the network."""

import json
import os

import lab
from applications.registry import application
from applications.stage import expect, expect_same, make_file

MB = 1 << 20
#: The dynamically linked one, where scripts/setup --applications unpacked it.
BUSYBOX = os.path.join(lab.ROOT, "build/applications/bin/busybox")


@application("iperf3", version=["iperf3", "--version"], quick=True)
def iperf3(stage):
    """four streams at once, reverse (-R), both ways (--bidir); 1 s each"""
    port = stage.port()
    # iperf3 serves one test at a time, and would take the question whether it listens for one.
    for words in (["-P", 4], ["-R", "-P", 4], ["--bidir"]):
        with stage.server.serve("iperf3", "-s", "-p", port, port=None):
            result = measure(stage, port, words)
        end = result["end"]
        expect(end["sum_received"]["bytes"] > MB, lambda: f"iperf3 {words}: {end['sum_received']}")
        if "--bidir" in words:
            expect(end["sum_received_bidir_reverse"]["bytes"] > MB, lambda: f"iperf3: {end['sum_received_bidir_reverse']}")
        streams = len(end["streams"])
        expect(streams == (2 if "--bidir" in words else 4), f"iperf3 {words}: {streams} streams")


def measure(stage, port, words):
    said = []

    def is_measured():
        output = stage.client.run("iperf3", "-c", stage.server.address, "-p", port, "-t", 1, "-J", *words, check=False, timeout=60)
        said[:] = [json.loads(output)]
        return "Connection refused" not in said[0].get("error", "")
    lab.wait_for(is_measured, seconds=20, what="iperf3's server")
    expect("error" not in said[0], lambda: f"iperf3 {words}: {said[0]['error']}")
    return said[0]


@application("socat", version=["socat", "-V"], needs=["socat"])
def socat(stage):
    """16 MB up and down, IPv4 and IPv6, through a forking server; options on its sockets (nodelay, keepalive, sndbuf)"""
    with stage.place() as place:
        path, digest = make_file(place, "file", 16 * MB)
        for family in (4, 6):
            host = stage.net.server.address(0, family)
            host = f"[{host}]" if family == 6 else host
            port = stage.port()
            listen = f"TCP{family}-LISTEN:{port},reuseaddr,fork,keepalive,nodelay"
            with stage.server.serve("socat", "-u", f"OPEN:{path}", listen, port=None):
                fetch(stage, f"TCP{family}:{host}:{port},nodelay,keepalive,rcvbuf=400000", f"{place}/down{family}")
            expect_same(f"{place}/down{family}", digest, f"socat, down, IPv{family}")
            port = stage.port()
            listen = f"TCP{family}-LISTEN:{port},reuseaddr,fork"
            with stage.server.serve("socat", "-u", listen, f"CREATE:{place}/up{family}", port=None):
                send(stage, path, f"TCP{family}:{host}:{port},sndbuf=300000")
                wait_for_size(f"{place}/up{family}", 16 * MB)
            expect_same(f"{place}/up{family}", digest, f"socat, up, IPv{family}")


def fetch(stage, there, copy):
    # Nobody asks before whether it listens: that would be a connection, and get the file.
    stage.client.run("socat", "-u", f"{there},retry=50,interval=0.1", f"CREATE:{copy}")


def send(stage, path, there):
    stage.client.run("socat", "-u", f"OPEN:{path}", f"{there},retry=50,interval=0.1")


def wait_for_size(path, size):
    lab.wait_for(lambda: os.path.exists(path) and os.path.getsize(path) >= size, seconds=20, what=f"{path} to be whole")


@application("busybox", program="busybox (dynamic) wget, httpd, nc", version=[BUSYBOX], needs=[BUSYBOX])
def busybox(stage):
    """httpd serves 16 MB to busybox wget; nc carries 8 MB"""
    with stage.place() as place:
        path, digest = make_file(place, "file", 16 * MB)
        port = stage.port()
        with stage.server.serve(BUSYBOX, "httpd", "-f", "-p", f"0.0.0.0:{port}", "-h", place, port=port):
            stage.client.run(BUSYBOX, "wget", "-q", "-O", f"{place}/copy", f"http://{stage.server.address}:{port}/file")
            expect_same(f"{place}/copy", digest, "busybox wget")
        small, digest = make_file(place, "small", 8 * MB)
        port = stage.port()
        # It ends its side when its input ends, and the client's nc would leave then.
        script = f"tail -f /dev/null | {BUSYBOX} nc -l -p {port} > {place}/nc"
        with stage.server.serve("sh", "-c", script, port=None):
            retry = f"for i in $(seq 100); do {BUSYBOX} nc {stage.server.address} {port} < {small} 2>/dev/null && exit 0; sleep 0.1; done; exit 1"
            stage.client.run("sh", "-c", retry)
            wait_for_size(f"{place}/nc", 8 * MB)
        expect_same(f"{place}/nc", digest, "busybox nc")
