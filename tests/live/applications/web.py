"""Web servers, what fetches from them and what loads them."""

import os
import re

from applications.registry import application
from applications.servers import apache, nginx
from applications.stage import expect, expect_same, find, make_file

MB = 1 << 20


@application("curl", version=["curl", "--version"], roles=("client", "both"), quick=True)
def curl(stage):
    """HTTP/1.1, TLS, HTTP/2 over TLS with four streams, a PUT; 16 MB each, from and to nginx"""
    with stage.place() as place, nginx(stage, place) as (port, tls_port):
        path, digest = make_file(place, "file", 16 * MB)
        copy = os.path.join(place, "copy")
        host = stage.server.address
        quiet = ["curl", "-sSf", "--max-time", 60, "--cacert", stage.certificate()[0]]
        for words, url in (([], f"http://{host}:{port}/file"), (["--http1.1"], f"https://{host}:{tls_port}/file")):
            stage.client.run(*quiet, *words, "-o", copy, url)
            expect_same(copy, digest, f"curl {url}")
        copies = [f"{copy}{number}" for number in range(4)]
        outputs = [word for name in copies for word in ("-o", name, f"https://{host}:{tls_port}/file")]
        stage.client.run(*quiet, "--http2", "--parallel", *outputs)
        for name in copies:
            expect_same(name, digest, "curl over HTTP/2")
        version = stage.client.run(*quiet, "--http2", "-o", "/dev/null", "-w", "%{http_version}", f"https://{host}:{tls_port}/nginx.conf")
        expect(version == "2", f"HTTP/{version} was spoken")
        stage.client.run(*quiet, "-T", path, f"http://{host}:{port}/up/copy")
        expect_same(os.path.join(place, "up/copy"), digest, "curl -T")


@application("wget", version=["wget", "--version"], roles=("client", "both"), needs=["wget"])
def wget(stage):
    """16 MB over HTTP and TLS from nginx, and a download that is continued in its middle (-c)"""
    with stage.place() as place, nginx(stage, place) as (port, tls_port):
        path, digest = make_file(place, "file", 16 * MB)
        copy = os.path.join(place, "copy")
        host = stage.server.address
        quiet = ["wget", "-nv", "--tries=1", "--timeout=30", f"--ca-certificate={stage.certificate()[0]}"]
        for url in (f"http://{host}:{port}/file", f"https://{host}:{tls_port}/file"):
            stage.client.run(*quiet, "-O", copy, url)
            expect_same(copy, digest, f"wget {url}")
        os.makedirs(os.path.join(place, "part"))
        with open(path, "rb") as file, open(os.path.join(place, "part/file"), "wb") as part:
            part.write(file.read(5 * MB))
        stage.client.run(*quiet, "-c", f"http://{host}:{port}/file", cwd=os.path.join(place, "part"))
        expect_same(os.path.join(place, "part/file"), digest, "wget -c")


@application("nginx", version=["nginx", "-v"], roles=("server", "both"), quick=True)
def serve_nginx(stage):
    """two workers, sendfile, TLS, keepalive: 16 MB over each to curl, then ab with 50 connections: 3,000 pages, each with a
    connection of its own, and 10,000 with keepalive"""
    with stage.place() as place, nginx(stage, place, workers=2) as (port, tls_port):
        _, digest = make_file(place, "file", 16 * MB)
        make_file(place, "page", 10_000)
        host = stage.server.address
        for url in (f"http://{host}:{port}/file", f"https://{host}:{tls_port}/file"):
            stage.client.run("curl", "-sSf", "--cacert", stage.certificate()[0], "-o", f"{place}/copy", url)
            expect_same(f"{place}/copy", digest, url)
        ab(stage, f"http://{host}:{port}/page", 10_000, 3_000)
        ab(stage, f"http://{host}:{port}/page", 10_000, 10_000, "-k")


def ab(stage, url, size, requests, *options):
    output = stage.client.run("ab", "-q", "-n", requests, "-c", 50, *options, url)
    find(rf"Complete requests:\s+{requests}\b", output, "ab: not all were answered")
    expect(re.search(r"Failed requests:\s+0\b", output), lambda: f"ab: some failed: {output[output.find('Concurrency'):][:300]}")
    expect("Non-2xx" not in output, f"ab: {output}")
    # With keepalive ab may begin requests that it does not count.
    sent = int(find(r"HTML transferred:\s+(\d+)", output, "ab says nothing of bytes").group(1))
    expect(sent >= requests * size, f"ab: {sent} octets of pages for {requests} requests")


@application("apache2", version=["apache2", "-v"], roles=("server", "both"), needs=["apache2"])
def serve_apache(stage):
    """mpm_event, sendfile, TLS: 16 MB over each to curl; ab with 50 connections: 2,000 pages, and 5,000 with keepalive, over TLS
    1,000"""
    with stage.place() as place, apache(stage, place) as (port, tls_port):
        _, digest = make_file(place, "file", 16 * MB)
        make_file(place, "page", 10_000)
        host = stage.server.address
        for url in (f"http://{host}:{port}/file", f"https://{host}:{tls_port}/file"):
            stage.client.run("curl", "-sSf", "--cacert", stage.certificate()[0], "-o", f"{place}/copy", url)
            expect_same(f"{place}/copy", digest, url)
        ab(stage, f"http://{host}:{port}/page", 10_000, 2_000)
        ab(stage, f"http://{host}:{port}/page", 10_000, 5_000, "-k")
        ab(stage, f"https://{host}:{tls_port}/page", 10_000, 1_000, "-k")


@application("ab", version=["ab", "-V"], roles=("client", "both"), needs=["apache2"])
def load_by_ab(stage):
    """50 connections to apache2: 2,000 pages of 10 KB, 5,000 with keepalive, 1,000 over TLS"""
    with stage.place() as place, apache(stage, place) as (port, tls_port):
        make_file(place, "page", 10_000)
        host = stage.server.address
        ab(stage, f"http://{host}:{port}/page", 10_000, 2_000)
        ab(stage, f"http://{host}:{port}/page", 10_000, 5_000, "-k")
        ab(stage, f"https://{host}:{tls_port}/page", 10_000, 1_000, "-k")


WRK_CHECK = """
local file = io.open("%s", "rb"); local wanted = file:read("*a"); file:close()
local threads = {}
function setup(thread) table.insert(threads, thread) end
function init(args) right = 0; wrong = 0 end
function response(status, headers, body)
  if status == 200 and body == wanted then right = right + 1 else wrong = wrong + 1 end
end
function done(summary, latency, requests)
  local right, wrong = 0, 0
  for _, thread in ipairs(threads) do right = right + thread:get("right"); wrong = wrong + thread:get("wrong") end
  local e = summary.errors
  print(string.format("right %%d wrong %%d errors %%d", right, wrong, e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@application("wrk", version=["wrk", "-v"], roles=("client", "both"), needs=["wrk"])
def wrk(stage):
    """two threads, 64 connections with keepalive, to nginx for 3 s; a script compares every answer (20 KB), over HTTP and TLS"""
    with stage.place() as place, nginx(stage, place) as (port, tls_port):
        page, _ = make_file(place, "page", 20_000)
        script = os.path.join(place, "check.lua")
        with open(script, "w") as file:
            file.write(WRK_CHECK % page)
        for url in (f"http://{stage.server.address}:{port}/page", f"https://{stage.server.address}:{tls_port}/page"):
            output = stage.client.run("wrk", "-t", 2, "-c", 64, "-d", "3s", "--timeout", "10s", "-s", script, url)
            found = find(r"right (\d+) wrong (\d+) errors (\d+)", output, "wrk did not finish")
            right, wrong, errors = map(int, found.groups())
            expect(right > 100 and wrong == 0 and errors == 0, lambda: f"wrk: {found.group()}: {output}")
