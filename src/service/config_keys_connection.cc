#include <fmt/format.h>

#include "service/config_keys.h"

namespace braid::service {

namespace {
using nlohmann::json;
using enum KeyKind;

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

json to_json(const std::vector<mptcp::PathRule>& rules) {
  json out = json::array();
  for (const mptcp::PathRule& rule : rules) {
    json entry = json::object();
    if (!rule.interface.empty()) entry["interface"] = rule.interface;
    if (rule.prefix_bits > 0)
      entry["address"] = fmt::format("{}/{}", rule.network.to_string(), rule.prefix_bits);
    entry["weight"] = rule.policy.weight;
    entry["priority"] = rule.policy.priority;
    if (rule.policy.budget_bytes != mptcp::PathPolicy{}.budget_bytes)
      entry["budget"] = rule.policy.budget_bytes;
    out.push_back(std::move(entry));
  }
  return out;
}

#define CONNECTION(expression)                                                  \
  [](const Config& config) -> json {                                            \
    [[maybe_unused]] const mptcp::ConnectionConfig& c = config.host.connection; \
    return expression;                                                          \
  }

constexpr std::string_view kTable = "[connection]";
const ConfigKey kKeys[] = {
    {kTable, "multipath", kPlain, "true, false", "negotiate Multipath TCP; `false`: plain TCP",
     CONNECTION(c.is_multipath)},
    {kTable, "checksum", kPlain, "true, false",
     "ask for DSS checksums (RFC 8684, 3.3.1): middleboxes that rewrite payload are then noticed",
     CONNECTION(c.require_checksum)},
    {kTable, "deny_join_initial", kPlain, "true, false",
     "peers may open paths only to addresses and ports that are announced, not to the one that they "
     "connected to (RFC 8684, 3.1, flag C): for servers behind load balancers",
     CONNECTION(c.deny_join_initial)},
    {kTable, "fast_open", kPlain, "\"off\", \"client\", \"server\", \"both\"",
     "TCP Fast Open, for programs that ask for it. In scenarios it is off unless set, and then every "
     "connection uses it",
     CONNECTION(c.fast_open.as_client ? (c.fast_open.as_server ? "both" : "client")
                                      : (c.fast_open.as_server ? "server" : "off"))},
    {kTable, "fast_open_most_pending", kPlain, "1 to 65535",
     "of a listener that does not say it: connections handed out before their third ACK",
     CONNECTION(c.fast_open.most_pending)},
    {kTable, "scheduler", kPlain, "name",
     "which path carries the next bytes: `\"lowest-rtt\"`, `\"round-robin\"`, `\"redundant\"`, `\"blest\"`, "
     "`\"ecf\"`, `\"weighted\"`, `\"shared-buffer\"`, or a plug-in's ([schedulers.md](schedulers.md)). A "
     "program may choose another with `BRAID_SCHEDULER` (`include/braid/socket_options.h`)",
     CONNECTION(c.scheduler)},
    {kTable, "paths", kPlain, "array of tables", "what `\"weighted\"` heeds, see below",
     CONNECTION(to_json(c.paths))},
    {kTable, "strict_shares", kPlain, "true, false",
     "`\"weighted\"`: weights hold even if that leaves a path idle",
     CONNECTION(c.scheduler_options.is_share_strict)},
    {kTable, "standby", kPlain, "true, false",
     "`\"weighted\"`: paths of a lower priority wait until the better ones are gone, and not just full",
     CONNECTION(c.scheduler_options.is_standby)},
    {kTable, "congestion_control", kPlain, "name",
     "`\"reno\"`, `\"cubic\"`, or coupled over the paths of a connection: `\"lia\"`, `\"olia\"`, "
     "`\"balia\"`, `\"wvegas\"`. A program may choose another with `TCP_CONGESTION`",
     CONNECTION(c.congestion_control)},
    {kTable, "path_manager", kPlain, "name",
     "which paths there should be: `\"endpoints\"`, as `ip mptcp endpoint` has it; `\"fullmesh\"`, every "
     "address to every address; `\"ndiffports\"`, as many as `[limits] subflows` says between the first two "
     "addresses, which ECMP spreads; `\"label\"`, one for each of `labels`; `\"application\"`, what a "
     "program asks for; or `\"none\"`. See [path-managers.md](path-managers.md)",
     CONNECTION(c.path_manager)},
    {kTable, "labels", kPlain, "array of 0 to 63",
     "DSCP values, 0 to 63, that the network routes by: with `path_manager = \"label\"` a path for each. Who "
     "accepts connections answers a subflow that comes with one of them with the same",
     CONNECTION(std::vector<int>(c.labels.begin(), c.labels.end()))},
    {kTable, "open_paths_after", kSize, "size",
     "further paths are opened once so much was received, or written by the program; `0`: at once "
     "([when](path-managers.md#when-further-paths-are-opened))",
     CONNECTION(c.open_paths.after_bytes)},
    {kTable, "open_paths_after_age", kDuration, "duration",
     "or once the connection is so old, however little it sent: a reserve for long idle ones",
     CONNECTION(seconds(c.open_paths.after_age))},
    {kTable, "open_paths_after_slow_start", kPlain, "true, false",
     "or once slow start is over on the first path, so that it is full",
     CONNECTION(c.open_paths.after_slow_start)},
    {kTable, "open_paths_at_once_ports", kPlain, "array of ports",
     "at once, for servers' ports in this list: `[22]`", CONNECTION(c.open_paths.at_once_ports)},
    {kTable, "send_buffer", kSize, "4 KiB to 1 GiB",
     "the most that what a program wrote and the peer has not acknowledged may take",
     CONNECTION(c.send_buffer_bytes)},
    {kTable, "receive_buffer", kSize, "4 KiB to 1 GiB",
     "the most that what arrived and the program has not read may take; what the window is opened to",
     CONNECTION(c.receive_buffer_bytes)},
    {kTable, "autotune", kPlain, "true, false",
     "let them grow with bandwidth and delay; `false`: the full size from the start", CONNECTION(c.autotune)},
    {kTable, "opportunistic_retransmission", kPlain, "true, false",
     "with a full window blocked by a slow path's data: those again on one with room (NSDI 2012, 4.2)",
     CONNECTION(c.opportunistic_retransmission)},
    {kTable, "penalise", kPlain, "true, false",
     "and the slow path's congestion window is reduced, once per round trip", CONNECTION(c.penalise)},
    {kTable, "cap_rtt", kPlain, "true, false",
     "no more under way on a path than makes its round trip twice the least that was seen: short queues, but "
     "it gives way to other traffic there",
     CONNECTION(c.cap_rtt)},
    {kTable, "no_delay", kPlain, "true, false", "as if every program set `TCP_NODELAY`",
     CONNECTION(c.no_delay)},
    {kTable, "max_subflows", kPlain, "1 to 255", "of one connection, whoever opens them",
     CONNECTION(c.max_subflows)},
    {kTable, "lowest_version", kPlain, "0, 1",
     "of the protocol: 0 is RFC 6824, 1 is RFC 8684. Version 0 does not protect ADD_ADDR by an HMAC",
     CONNECTION(static_cast<int>(c.lowest_version))},
    {kTable, "highest_version", kPlain, "0, 1",
     "the one that is offered; the highest that both ends know is used",
     CONNECTION(static_cast<int>(c.highest_version))},
    {kTable, "fastclose", kPlain, "\"rst\", \"ack\"",
     "how an abort is told: MP_FASTCLOSE on the RSTs (`\"rst\"`) or on an ACK that is repeated until the "
     "peer's RST comes (`\"ack\"`, and always in version 0)",
     CONNECTION(c.fastclose == mptcp::FastcloseForm::kAck ? "ack" : "rst")},
    {kTable, "syn_attempts_with_multipath", kPlain, "0 to 127",
     "SYNs with MP_CAPABLE that stay unanswered before one without goes out",
     CONNECTION(c.syn_attempts_with_multipath)},
    {kTable, "syn_attempts", kPlain, "1 to 127", "SYNs in all before connect() gives up",
     CONNECTION(c.subflow.syn_attempts)},
    {kTable, "race_delay", kDuration, "duration",
     "the first SYN unanswered for so long: another from the next address (endpoint) of this host, and the "
     "one that is answered first is the connection; `0`: never. Not for programs that bind to an address",
     CONNECTION(seconds(c.race_delay))},
    {kTable, "path_keepalive", kDuration, "duration",
     "with several paths: one that is idle so long is asked whether it is alive; `0`: never",
     CONNECTION(seconds(c.path_keepalive))},
    {kTable, "path_keepalive_interval", kDuration, "duration",
     "so often a path that did not answer is asked again", CONNECTION(seconds(c.path_keepalive_interval))},
    {kTable, "path_keepalive_attempts", kPlain, "1 to 127",
     "so many questions without an answer, and the path is closed and built anew",
     CONNECTION(c.path_keepalive_attempts)},
    {kTable, "join_timeout", kDuration, "duration",
     "a path that is not up by then is given up, and tried again later", CONNECTION(seconds(c.join_timeout))},
    {kTable, "survive_without_subflows", kDuration, "duration",
     "how long a connection whose last path is gone waits for another",
     CONNECTION(seconds(c.survive_without_subflows))},
    {kTable, "dead_path_probe_max", kDuration, "duration",
     "how often, at most, a silent path is probed while others live",
     CONNECTION(seconds(c.dead_path_probe_max))},
    {kTable, "linger", kDuration, "duration",
     "after the program closed: how long what it wrote may take to arrive", CONNECTION(seconds(c.linger))},
    {kTable, "delayed_ack", kDuration, "duration", "how long an ACK may wait for company",
     CONNECTION(seconds(c.subflow.delayed_ack))},
    {kTable, "time_wait", kDuration, "duration", "2 MSL (RFC 9293, 3.6.1)",
     CONNECTION(seconds(c.subflow.time_wait))},
};
#undef CONNECTION
}  // namespace

std::span<const ConfigKey> connection_keys() { return kKeys; }

}  // namespace braid::service
