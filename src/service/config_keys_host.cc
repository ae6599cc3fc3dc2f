#include <fmt/format.h>

#include "service/config_keys.h"

namespace braid::service {

namespace {
using nlohmann::json;
using enum KeyKind;

const mptcp::PathLimits& limits(const Config& config) { return config.host.paths.limits; }
json unless_empty(const std::string& text) { return text.empty() ? json() : json(text); }
json unless_zero(int number) { return number == 0 ? json() : json(number); }

json addresses(const std::vector<host::AddressConfig>& all) {
  json out = json::array();
  for (const host::AddressConfig& a : all) {
    out.push_back(fmt::format("{}/{}", a.address.to_string(), a.prefix_bits));
  }
  return out;
}

json gateways(const io::NetworkConfig& network) {
  json out = json::array();
  for (const auto& [interface, address] : network.gateways) {
    out.push_back(fmt::format("{}={}", interface, address.to_string()));
  }
  return out;
}

#define VALUE(expression)            \
  [](const Config& config) -> json { \
    (void)config;                    \
    return expression;               \
  }

const ConfigKey kKeys[] = {
    {"[connection.paths]", "interface", kPlain, "name",
     "which paths: those whose local end is at this interface", VALUE(nullptr), "any"},
    {"[connection.paths]", "address", kPlain, "address or prefix",
     "which paths: those whose local end is in this prefix", VALUE(nullptr), "any"},
    {"[connection.paths]", "weight", kPlain, "1 to 1000000",
     "its share among paths of its priority; what a full path can't take goes to the others, unless "
     "`strict_shares`",
     VALUE(mptcp::PathPolicy{}.weight)},
    {"[connection.paths]", "priority", kPlain, "0 to 1000",
     "lower first: the others carry what overflows when all better paths are full (with `standby`: when they "
     "are gone)",
     VALUE(mptcp::PathPolicy{}.priority)},
    {"[connection.paths]", "budget", kSize, "size",
     "bytes that a connection gives the path; after that it is used only while no other can be",
     VALUE(nullptr), "no limit"},
    {"[limits]", "subflows", kPlain, "0 to 64", "additional paths of a connection",
     VALUE(limits(config).subflows)},
    {"[limits]", "add_addr_accepted", kPlain, "0 to 64", "addresses announced by the peer that are acted on",
     VALUE(limits(config).add_addr_accepted)},
    {"[[endpoint]]", "address", kPlain, "address", "IPv4 or IPv6, one of this host's", VALUE(nullptr),
     "needed"},
    {"[[endpoint]]", "flags", kPlain, "array of names",
     "`\"signal\"`: announce it to peers; `\"subflow\"`: open paths from it; `\"backup\"`: such paths carry "
     "data only when no other does; `\"fullmesh\"`: paths from it to every address of the peer. `\"signal\"` "
     "and `\"fullmesh\"` exclude each other",
     VALUE(nullptr), "none"},
    {"[[endpoint]]", "port", kPlain, "1 to 65535",
     "announce the address with this port; needs `\"signal\"`. What comes to that port is Braid's then, "
     "though no program listens there; one that the kernel has is refused",
     VALUE(nullptr), "none"},
    {"[[endpoint]]", "id", kPlain, "1 to 255", "address ID", VALUE(nullptr), "next free"},
    {"[[endpoint]]", "interface", kPlain, "name", "for display", VALUE(nullptr), "none"},
    {"[network]", "interfaces", kPlain, "array of names", "use only these devices",
     VALUE(config.network.interfaces), "every uplink"},
    {"[network]", "excluded_interfaces", kPlain, "array of names", "never use these",
     VALUE(config.network.excluded_interfaces)},
    {"[network]", "ipv4", kPlain, "true, false", "use IPv4 addresses", VALUE(config.network.use_ipv4)},
    {"[network]", "ipv6", kPlain, "true, false", "use IPv6 addresses", VALUE(config.network.use_ipv6)},
    {"[network]", "ports", kPlain, "range",
     "local ports of Braid's outgoing connections, kept free of the kernel's",
     VALUE(fmt::format("{}-{}", config.network.first_port, config.network.last_port))},
    {"[network]", "ports_per_instance", kPlain, "1 to 65535",
     "how many of them one running Braid takes: as many connections to one port of one server, TIME-WAIT "
     "included",
     VALUE(unless_zero(config.network.ports_per_instance)), "half of what is free"},
    {"[network]", "auto_endpoints", kPlain, "true, false",
     "every uplink's address becomes an endpoint (subflow and signal)", VALUE(config.network.auto_endpoints)},
    {"[network]", "gateways", kPlain, "array of names and addresses",
     "`[\"eth1=192.0.2.254\"]`: the router of an uplink that the machine has no default route for; one for "
     "each family ([uplinks.md](uplinks.md))",
     VALUE(gateways(config.network))},
    {"[network]", "firewall", kPlain, "name",
     "where one drops forwarded packets, as Braid's are: let through what Braid sends and what comes to its "
     "ephemeral ports (`\"replies\"`), also connections to ports that its programs listen on (`\"open\"`), "
     "or "
     "nothing (`\"leave\"`)",
     VALUE(firewall_words().at(static_cast<size_t>(config.network.firewall)))},
    {"[network]", "device", kPlain, "name", "name of the TUN device; `%d` is the first free number",
     VALUE(config.network.device)},
    {"[network]", "addresses", kPlain, "array of addresses with prefix",
     "addresses of Braid's own, `\"192.0.2.1/24\"`, on a TUN device instead of the uplinks",
     VALUE(addresses(config.network.addresses))},
    {"[network]", "kernel_addresses", kPlain, "array of addresses with prefix",
     "with `addresses`: those of the kernel's side of that device",
     VALUE(addresses(config.network.kernel_addresses))},
    {"[network]", "mtu", kPlain, "576 to 65535", "with `addresses`: Braid's MTU", VALUE(config.network.mtu)},
    {"[sockets]", "syn_cookies", kPlain, "true, false",
     "when a listener's backlog is full of handshakes that do not end, SYNs are answered with a cookie and "
     "nothing is kept until the third ACK (RFC 4987); the connections are Multipath TCP all the same. "
     "`false`: such SYNs are dropped",
     VALUE(config.host.syn_cookies)},
    {"[sockets]", "kernel_fallback", kPlain, "true, false",
     "a destination that Braid has no route to, and an address that is not Braid's to bind, go through the "
     "kernel's TCP; `false`: the program gets the error. Loopback is always the kernel's",
     VALUE(config.sockets.kernel_fallback)},
    {"[sockets]", "stream_buffer", kSize, "4 KiB to 64 MiB",
     "buffer between a program and the daemon, each way", VALUE(config.sockets.stream_buffer_bytes)},
    {"[daemon]", "socket", kPlain, "path",
     "control socket. Programs use the one beside it that ends in `.app`",
     VALUE(unless_empty(config.socket_path)), "`$BRAID_SOCKET`, else `/run/braid/braid.sock`"},
    {"[daemon]", "group", kPlain, "name",
     "whose members may ask the daemon (`braid ss`, `braid pm` ...), beside its own user and root. Any "
     "program may use it",
     VALUE(unless_empty(config.group))},
    {"[daemon]", "pcap", kPlain, "path", "write all packets to this file, for Wireshark",
     VALUE(unless_empty(config.capture_path))},
    {"[daemon]", "events", kPlain, "path",
     "write what connections decide and why to this file, a JSON object a line ([the event "
     "log](simulator.md#the-event-log)); `braid events` shows the same without a file",
     VALUE(unless_empty(config.events_path))},
    {"[daemon]", "plugins", kPlain, "array of paths",
     "shared objects with schedulers or congestion controls, loaded before the rest of the file is read "
     "([extending.md](extending.md)); `--plugin FILE` likewise",
     VALUE(config.plugins)},
    {"[daemon]", "log_level", kPlain, "name",
     "`\"trace\"`, `\"debug\"`, `\"info\"`, `\"warn\"`, `\"error\"`, `\"critical\"`, `\"off\"`",
     VALUE(config.log_level)},
    {"[history]", "memory", kSize, "0 to 4 GiB",
     "of all histories together; when it is full the oldest closed connection is forgotten, then the oldest "
     "open one. `0`: nothing is kept",
     VALUE(config.history.memory_bytes)},
    {"[history]", "decisions", kPlain, "8 to 65536",
     "of one connection: the first quarter and the latest of the rest are kept, and how many there were in "
     "between. Several alike count as one",
     VALUE(config.history.decisions)},
    {"[history]", "closed_connections", kPlain, "0 to 10000000", "so many closed ones are kept",
     VALUE(config.history.closed_connections)},
    {"[history]", "closed_for", kDuration, "duration", "for so long",
     VALUE(std::chrono::duration<double>(config.history.closed_for).count())},
    {"[metrics]", "listen", kPlain, "address and port, or unix:path",
     "where the page is served: a port of a loopback address, `\"127.0.0.1:9464\"` or `\"[::1]:9464\"`, or a "
     "Unix socket, `\"unix:/run/braid/metrics.sock\"` (mode 0660). An address that others could reach is "
     "refused: the page has neither encryption nor a password",
     VALUE(unless_empty(config.metrics.listen))},
    {"[metrics]", "connections", kPlain, "0 to 100000",
     "so many connections at most have lines of their own, with their token and ends as labels. Each new "
     "connection is then a new series to the collector: for a laboratory, not for a busy server",
     VALUE(config.metrics.connections)},
    {"[[listen]]", "port", kPlain, "1 to 65535", "the port, on all of Braid's addresses", VALUE(nullptr),
     "needed"},
    {"[[listen]]", "address", kPlain, "address", "on this one only", VALUE(nullptr), "all"},
    {"[[listen]]", "to", kPlain, "address and port", "of the service", VALUE(nullptr),
     "`\"127.0.0.1:PORT\"`"},
    {"[[listen]]", "proxy_protocol", kPlain, "true, false",
     "send the PROXY protocol's header (version 2) first: the service learns who the client is",
     VALUE(ListenSpec{}.sends_proxy_header)},
    {"[[listen]]", "max_connections", kPlain, "1 to 1000000", "relayed at once; further ones wait",
     VALUE(ListenSpec{}.max_connections)},
};
#undef VALUE
}  // namespace

std::span<const ConfigKey> host_keys() { return kKeys; }

}  // namespace braid::service
