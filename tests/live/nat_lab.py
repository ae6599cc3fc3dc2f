"""A laptop between two providers: two uplinks, each behind a router that masquerades (NAT for IPv4, and for IPv6 too, as some
mobile networks do), and a server on the far side of both. The uplinks come and go as WiFi and a phone do.

    client: wlan0 192.0.2.10 -> router 1 -.
                                           net -> server: eth0 203.0.113.2
    client: wwan0 198.51.100.10 -> router 2 -'
"""

import os

import lab

#: Of each uplink: device, and its addresses: where it is at first, and where it is when it comes back somewhere else.
DEVICES = ["wlan0", "wwan0"]
PLACES = [
    [dict(v4="192.0.2.10/25", gw4="192.0.2.1", v6="2001:db8:1::10/64", gw6="2001:db8:1::1"),
     dict(v4="192.0.2.140/25", gw4="192.0.2.129", v6="2001:db8:1:1::40/64", gw6="2001:db8:1:1::1")],
    [dict(v4="198.51.100.10/25", gw4="198.51.100.1", v6="2001:db8:2::10/64", gw6="2001:db8:2::1"),
     dict(v4="198.51.100.140/25", gw4="198.51.100.129", v6="2001:db8:2:1::40/64", gw6="2001:db8:2:1::1")],
]
SERVER = {4: "203.0.113.2", 6: "2001:db8:3::2"}


def host_part(prefix):
    return prefix.split("/")[0]


class NatLab(lab.Lab):
    """rates: Mbit/s of each uplink, both ways, or None. default_routes: in "main", with metrics as NetworkManager has them, or
    in a "table" of each uplink's own beside a default route in main by the first one only."""

    def __init__(self, rates=None, routes="main"):
        super().__init__(2, rates=rates)
        self.routes = routes
        self.routers = [lab.Side(self, f"router{i}") for i in (1, 2)]
        self.net = lab.Side(self, "net")

    def _build(self):
        for side in (self.client, self.server, self.net, *self.routers):
            lab.run("ip", "netns", "add", side.netns)
            side.run("ip", "link", "set", "lo", "up")
            side.sysctl(net__ipv6__conf__all__accept_dad=0, net__ipv6__conf__default__accept_dad=0)
        for side in (self.client, self.server):
            side.sysctl(net__mptcp__enabled=1, net__mptcp__blackhole_timeout=0)
        self.net.run("ip", "link", "add", "middle", "type", "bridge")
        self.net.run("ip", "link", "set", "middle", "up")
        self._join(self.server, "eth0", "to-server", "203.0.113.2/24", "2001:db8:3::2/64")
        self.server.run("ip", "route", "add", "default", "via", "203.0.113.1")
        for number, router in enumerate(self.routers):
            router.sysctl(net__ipv4__ip_forward=1, net__ipv6__conf__all__forwarding=1)
            self._join(router, "wan", f"to-router{number + 1}", f"203.0.113.{11 + number}/24", f"2001:db8:3::{11 + number}/64")
            router.run("nft", 'add table inet nat; add chain inet nat out { type nat hook postrouting priority srcnat; '
                              'oifname "wan" masquerade; }')
            if self.rates and self.rates[number]:
                self._shape(router, "wan", self.rates[number])
            self.appear(number)

    def _shape(self, side, device, rate):
        side.run("tc", "qdisc", "add", "dev", device, "root", "tbf", "rate", f"{rate}mbit", "burst", "64kb", "latency", "100ms")

    def _join(self, side, device, port, *addresses):
        lab.run("ip", "link", "add", device, "netns", side.netns, "type", "veth", "peer", "name", port, "netns", self.net.netns)
        for address in addresses:
            side.run("ip", "addr", "add", address, "dev", device, *(["nodad"] if ":" in address else []))
        side.run("ip", "link", "set", device, "up")
        self.net.run("ip", "link", "set", port, "master", "middle", "up")

    def appear(self, uplink, place=0):
        """The device is plugged in (or the phone is found) and has addresses and routes; as a DHCP client and router
        advertisements would have it."""
        device, where, router = DEVICES[uplink], PLACES[uplink][place], self.routers[uplink]
        lab.run("ip", "link", "add", device, "netns", self.client.netns, "type", "veth", "peer", "name", "lan", "netns", router.netns)
        for address, bits in ((where["gw4"], 25), (where["gw6"], 64)):
            router.run("ip", "addr", "add", f"{address}/{bits}", "dev", "lan", *(["nodad"] if ":" in address else []))
        router.run("ip", "link", "set", "lan", "up")
        if self.rates and self.rates[uplink]:
            self._shape(router, "lan", self.rates[uplink])
        self.client.run("ip", "link", "set", device, "up")
        self.assign(uplink, place)

    def assign(self, uplink, place=0):
        device, where = DEVICES[uplink], PLACES[uplink][place]
        for family, address in ((4, where["v4"]), (6, where["v6"])):
            self.client.run("ip", "addr", "add", address, "dev", device, *(["nodad"] if family == 6 else []))
        for family, gateway in ((4, where["gw4"]), (6, where["gw6"])):
            in_table = self.routes == "table" and uplink > 0
            words = ["table", str(100 + uplink)] if in_table else ["metric", str(600 + 100 * uplink)]
            self.client.run("ip", f"-{family}", "route", "add", "default", "via", gateway, "dev", device, *words)
            if in_table:
                source = host_part(where["v4" if family == 4 else "v6"])
                self.client.run("ip", f"-{family}", "rule", "add", "from", source, "table", str(100 + uplink), "priority", "1000")

    def vanish(self, uplink):
        """Unplugged: device, addresses and routes are gone at once."""
        self.client.run("ip", "link", "del", DEVICES[uplink])

    def carrier(self, uplink, there):
        """Out of reach, and back: the device stays, and so do the IPv4 addresses; routes go with the carrier at most."""
        self.routers[uplink].run("ip", "link", "set", "lan", "up" if there else "down")

    def assign_again(self, uplink, place=0):
        """After the carrier came back, as a DHCP client and router advertisements would: what went with it."""
        where = PLACES[uplink][place]
        for router_address in (where["gw6"] + "/64",):
            self.routers[uplink].run("ip", "addr", "replace", router_address, "dev", "lan", "nodad")
        self.client.run("ip", "addr", "replace", where["v6"], "dev", DEVICES[uplink], "nodad")
        for family, gateway in ((4, where["gw4"]), (6, where["gw6"])):
            self.client.run("ip", f"-{family}", "route", "replace", "default", "via", gateway, "dev", DEVICES[uplink],
                            "metric", str(600 + 100 * uplink))

    def wan_bytes(self, uplink):
        """Octets that a router got from the server's side and sent there."""
        base = "/sys/class/net/wan/statistics/"
        received, sent = self.routers[uplink].run("cat", base + "rx_bytes", base + "tx_bytes").split()
        return int(received), int(sent)

    def close(self):
        super().close()
        for side in (*self.routers, self.net):
            lab.run("ip", "netns", "del", side.netns, check=False)


def snapshot(side):
    """Everything that Braid may change on a host, as text."""
    # Without what counts down or counts up by itself.
    parts = [side.run("ip", "-o", "link"), side.run("ip", "rule"), side.run("ip", "-6", "rule"),
             side.run("ip", "route", "show", "table", "all"), side.run("ip", "-6", "route", "show", "table", "all"),
             side.run("nft", "-a", "-s", "list", "ruleset"),
             side.run("sh", "-c", "cd /proc/sys/net && grep -rs . ipv4 ipv6 | grep -v -e route/flush -e stable_secret "
                                  "-e random_secret -e fib_sync_mem -e /neigh/ | sort")]
    return "\n".join(parts)


class Up:
    """`braid up` on one host, with a control socket of its own."""

    def __init__(self, side, directory, *options, **environment):
        self.side, self.socket = side, os.path.join(str(directory), f"{side.name}.sock")
        self.environment = {**os.environ, "BRAID_SOCKET": self.socket, **environment}
        self.options = options

    def call(self, *words):
        return lab.subprocess.run(self.side.command(lab.braid_binary(), *words), env=self.environment, capture_output=True, text=True,
                                  timeout=60)

    def __enter__(self):
        self.started = self.call("up", *self.options)
        assert self.started.returncode == 0, self.started
        return self

    def __exit__(self, *_):
        self.call("down", "--force")

    def status(self):
        done = self.call("up", "--status", "--json")
        assert done.returncode == 0, done
        return lab.json.loads(done.stdout)

    def uplink(self, name):
        return next((u for u in self.status()["uplinks"] if u["name"] == name), None)

    def connections(self):
        return lab.json.loads(self.call("ss", "--json").stdout)["connections"]

    def run(self):
        """The words in front of a program."""
        return ["env", f"BRAID_SOCKET={self.socket}", lab.braid_binary(), "run", "--"]
