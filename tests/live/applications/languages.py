"""Interpreters and virtual machines, with the HTTP that comes with them."""

import os

from applications.registry import application
from applications.stage import expect, make_file

PROGRAMS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "programs")
PYTHON = "/usr/bin/python3"
MB = 1 << 20


def expect_right(said, who):
    expect(said.strip() == "right", f"{who}: {said!r}")


@application("python http", program="Python http.server, requests", version=[PYTHON, "--version"], needs=[PYTHON])
def python_http(stage):
    """8 MB three times over one connection and a POST of it, threads at the server"""
    port, peer = stage.port(), os.path.join(PROGRAMS, "http_peer.py")
    with stage.place() as place:
        _, digest = make_file(place, "file", 8 * MB)
        with stage.server.serve(PYTHON, peer, "server", "0.0.0.0", port, place, port=port):
            url = f"http://{stage.server.address}:{port}/file"
            expect_right(stage.client.run(PYTHON, peer, "client", url, digest), "requests")


@application("python asyncio", program="Python asyncio", version=[PYTHON, "--version"], needs=[PYTHON], quick=True)
def python_asyncio(stage):
    """an echo server and 40 connections at once, 500 KB each, both ways at the same time"""
    port, peer = stage.port(), os.path.join(PROGRAMS, "asyncio_peer.py")
    with stage.server.serve(PYTHON, peer, "server", "0.0.0.0", port, port=port):
        expect_right(stage.client.run(PYTHON, peer, "client", stage.server.address, port, 40, 500_000), "asyncio")


@application("node", program="Node.js http", version=["node", "--version"], needs=["node"])
def node(stage):
    """30 requests for 2 MB over eight kept connections and a POST of it"""
    port, peer = stage.port(), os.path.join(PROGRAMS, "http_peer.js")
    with stage.place() as place:
        path, digest = make_file(place, "file", 2 * MB)
        with stage.server.serve("node", peer, "server", "0.0.0.0", port, path, port=port):
            expect_right(stage.client.run("node", peer, "client", stage.server.address, port, digest, 30), "node")


@application("java", program="OpenJDK HttpServer, HttpClient", version=["java", "-version"], needs=["java"])
def java(stage):
    """30 asynchronous requests for 2 MB and a POST of it, four threads at the server"""
    port, peer = stage.port(), os.path.join(PROGRAMS, "HttpPeer.java")
    with stage.place() as place:
        path, _ = make_file(place, "file", 2 * MB)
        with stage.server.serve("java", peer, "server", "0.0.0.0", port, path, port=port):
            expect_right(stage.client.run("java", peer, "client", stage.server.address, port, path, 30), "java")
