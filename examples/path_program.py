#!/usr/bin/env python3
"""Manages paths from outside of the daemon: for each connection that this host opens, a second path from the
address given with --reserve, which carries data only while the first path is silent.

    braid daemon --config braid.toml &          # with path_manager = "application" in [connection]
    python3 path_program.py --reserve 198.51.100.1

The protocol is JSON lines over the daemon's control socket; docs/path-managers.md describes it."""

import argparse
import json
import os
import socket


class Daemon:
    """Commands get their answers, events are kept until somebody asks for them."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(path)
        self.lines = self.socket.makefile("r")
        self.events = []

    def command(self, action, **members):
        request = {"command": "pm", "action": action, **members}
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        while True:
            line = self.next_line()
            if "event" in line:  # it came before the answer
                self.events.append(line)
            elif line["ok"]:
                return line["result"]
            else:
                print(f"{action} was refused: {line['error']}", flush=True)
                return None

    def next_event(self):
        return self.events.pop(0) if self.events else self.next_line()

    def next_line(self):
        line = self.lines.readline()
        if not line:
            raise SystemExit("the daemon has ended")
        return json.loads(line)


class Reserve:
    """What this program knows of one connection."""

    def __init__(self, daemon, token):
        self.daemon, self.token = daemon, token
        self.reserve = None  # its subflow number

    def open(self, address):
        opened = self.daemon.command("open", token=self.token, local=address, backup=True)
        self.reserve = opened and opened["subflow"]

    def use(self, is_needed):
        if self.reserve is not None:
            self.daemon.command("set", token=self.token, subflow=self.reserve, backup=not is_needed)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--socket", default=os.environ.get("BRAID_SOCKET", "/run/braid/braid.sock"))
    parser.add_argument("--reserve", required=True, metavar="ADDRESS", help="where the second path begins")
    arguments = parser.parse_args()
    daemon = Daemon(arguments.socket)
    daemon.command("subscribe")
    print("watching", arguments.socket, flush=True)

    connections = {}
    while True:
        event = daemon.next_event()
        name, token = event["event"], event.get("token")
        if name == "established" and not event["is_server"]:
            connections[token] = Reserve(daemon, token)
            connections[token].open(arguments.reserve)
            continue
        connection = connections.get(token)
        if connection is None:
            continue
        if name in ("closed", "fell-back"):
            del connections[token]
        elif event.get("subflow") == connection.reserve:
            if name in ("subflow-down", "subflow-failed"):
                connection.reserve = None
        elif name in ("subflow-silent", "subflow-down"):
            print(f"{token}: {event['local']} is silent", flush=True)
            connection.use(True)
        elif name == "subflow-back":
            print(f"{token}: {event['local']} is back", flush=True)
            connection.use(False)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        pass
