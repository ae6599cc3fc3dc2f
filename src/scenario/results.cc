#include "scenario/results.h"

#include <fmt/format.h>

#include <algorithm>

namespace braid::scenario {

namespace {

std::string rate_text(double bits_per_s) {
  if (bits_per_s >= 1e9) return fmt::format("{:.2f} Gbit/s", bits_per_s / 1e9);
  if (bits_per_s >= 1e6) return fmt::format("{:.2f} Mbit/s", bits_per_s / 1e6);
  return fmt::format("{:.1f} kbit/s", bits_per_s / 1e3);
}

std::string size_text(double bytes) {
  if (bytes >= 1e9) return fmt::format("{:.2f} GB", bytes / 1e9);
  if (bytes >= 1e6) return fmt::format("{:.2f} MB", bytes / 1e6);
  if (bytes >= 1e3) return fmt::format("{:.1f} KB", bytes / 1e3);
  return fmt::format("{:.0f} B", bytes);
}

std::string outcome(const ConnectionResult& c) {
  if (!c.is_intact) return "WRONG BYTES";
  if (!c.failure.empty()) return "failed: " + c.failure;
  return c.is_complete ? "complete" : "until the end";
}

constexpr size_t kMostLinesOfAKind = 40;
constexpr double kTooLate = 2e-3;  // seconds

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

DelaySummary summarise(std::vector<double> seconds) {
  DelaySummary summary;
  summary.count = seconds.size();
  if (seconds.empty()) return summary;
  std::sort(seconds.begin(), seconds.end());
  const auto at = [&](double share) {
    return seconds[static_cast<size_t>(share * static_cast<double>(seconds.size() - 1) + 0.5)];
  };
  summary.min = seconds.front();
  summary.median = at(0.5);
  summary.p95 = at(0.95);
  summary.p99 = at(0.99);
  summary.max = seconds.back();
  return summary;
}

std::vector<LinkResult> links_of(const sim::Network& network) {
  const double elapsed = seconds(network.now().time_since_epoch());
  std::vector<LinkResult> results;
  for (const auto& link : network.links()) {
    for (const sim::Direction direction : {sim::Direction::kForward, sim::Direction::kBackward}) {
      const sim::Channel& channel = std::as_const(*link).channel(direction);
      const sim::ChannelTotals t = channel.totals(network.now());
      const bool has_rate = channel.config().bits_per_second != 0;
      results.push_back({.name = link->name(),
                         .direction = direction == sim::Direction::kForward ? "forward" : "backward",
                         .packets = t.delivered_packets,
                         .bytes = t.delivered_bytes,
                         .utilisation = has_rate && elapsed > 0 ? seconds(t.busy) / elapsed : 0,
                         .queue_mean_bytes = elapsed > 0 ? t.queue_byte_seconds / elapsed : 0,
                         .queue_max_bytes = t.queue_max_bytes,
                         .dropped_queue = t.dropped_queue,
                         .dropped_loss = t.dropped_loss,
                         .dropped_down = t.dropped_down,
                         .dropped_mtu = t.dropped_mtu,
                         .marked = t.marked});
    }
  }
  return results;
}

bool Results::is_sound() const {
  return std::ranges::all_of(connections,
                             [](const ConnectionResult& c) { return c.is_intact && c.failure.empty(); }) &&
         std::ranges::all_of(programs, [](const ProgramResult& p) { return p.exit_status.value_or(0) == 0; });
}

double Results::goodput_bits_per_s() const {
  if (connections.empty()) return 0;
  double start = connections[0].start_s, end = connections[0].end_s, bytes = 0;
  for (const ConnectionResult& c : connections) {
    start = std::min(start, c.start_s);
    end = std::max(end, c.end_s);
    bytes += static_cast<double>(c.bytes);
  }
  return end > start ? bytes * 8 / (end - start) : 0;
}

uint64_t Results::wasted_bytes() const {
  uint64_t bytes = 0;
  for (const ConnectionResult& c : connections) bytes += c.wasted_bytes;
  return bytes;
}

nlohmann::ordered_json Results::to_json() const {
  nlohmann::ordered_json json = {{"scenario", scenario},
                                 {"seed", seed},
                                 {"clock", is_real_time ? "real" : "virtual"},
                                 {"elapsed_s", elapsed_s},
                                 {"packet_hops", packet_hops},
                                 {"events", events},
                                 {"goodput_bits_per_s", goodput_bits_per_s()},
                                 {"retransmissions", retransmissions}};
  json["connections"] = nlohmann::ordered_json::array();
  for (const ConnectionResult& c : connections) {
    nlohmann::ordered_json subflows = nlohmann::ordered_json::array();
    for (const SubflowResult& s : c.subflows) {
      subflows.push_back({{"local", s.local},
                          {"remote", s.remote},
                          {"sent_bytes", s.sent_bytes},
                          {"received_bytes", s.received_bytes},
                          {"srtt_ms", s.srtt_ms},
                          {"retransmissions", s.retransmissions},
                          {"timeouts", s.timeouts},
                          {"backup", s.is_backup}});
    }
    nlohmann::ordered_json one = {{"kind", c.kind},
                                  {"from", c.from},
                                  {"to", c.to},
                                  {"bytes", c.bytes},
                                  {"wasted_bytes", c.wasted_bytes},
                                  {"start_s", c.start_s},
                                  {"end_s", c.end_s},
                                  {"goodput_bits_per_s", c.goodput_bits_per_s},
                                  {"longest_gap_s", c.longest_gap_s},
                                  {"complete", c.is_complete},
                                  {"failure", c.failure},
                                  {"intact", c.is_intact},
                                  {"multipath", c.multipath},
                                  {"fallback", c.fallback},
                                  {"sender_memory_max_bytes", c.sender_memory_max},
                                  {"receiver_memory_max_bytes", c.receiver_memory_max},
                                  {"subflows", std::move(subflows)}};
    if (c.delay.count > 0) {
      one["delay_s"] = {{"count", c.delay.count}, {"min", c.delay.min}, {"median", c.delay.median},
                        {"p95", c.delay.p95},     {"p99", c.delay.p99}, {"max", c.delay.max}};
    }
    json["connections"].push_back(std::move(one));
  }
  json["links"] = nlohmann::ordered_json::array();
  for (const LinkResult& l : links) {
    json["links"].push_back({{"name", l.name},
                             {"direction", l.direction},
                             {"packets", l.packets},
                             {"bytes", l.bytes},
                             {"utilisation", l.utilisation},
                             {"queue_mean_bytes", l.queue_mean_bytes},
                             {"queue_max_bytes", l.queue_max_bytes},
                             {"dropped_queue", l.dropped_queue},
                             {"dropped_loss", l.dropped_loss},
                             {"dropped_down", l.dropped_down},
                             {"dropped_mtu", l.dropped_mtu},
                             {"marked", l.marked}});
  }
  json["hosts"] = nlohmann::ordered_json::array();
  for (const HostResult& host : hosts) {
    nlohmann::ordered_json& one = json["hosts"].emplace_back();
    one["name"] = host.name;
    one["counters"] = nlohmann::ordered_json::object();
    for (size_t i = 0; i < mptcp::kCounterCount; ++i) {
      const auto counter = static_cast<mptcp::Counter>(i);
      if (host.counters[counter] != 0)
        one["counters"][std::string(name_of(counter))] = host.counters[counter];
    }
  }
  for (const ProgramResult& p : programs) {
    nlohmann::ordered_json one = {
        {"host", p.host}, {"command", p.command}, {"start_s", p.start_s}, {"end_s", p.end_s}};
    one["exit_status"] = p.exit_status ? nlohmann::ordered_json(*p.exit_status) : nlohmann::ordered_json();
    one["output"] = p.output;
    json["programs"].push_back(std::move(one));
  }
  if (is_real_time) {
    json["lateness_s"] = {{"packets", lateness.count},
                          {"median", lateness.median},
                          {"p95", lateness.p95},
                          {"p99", lateness.p99},
                          {"max", lateness.max}};
  }
  return json;
}

std::string Results::to_text() const {
  std::string out = fmt::format("{}, seed {}: {:.3f} s {}, {} packets over links\n", scenario, seed,
                                elapsed_s, is_real_time ? "in real time" : "simulated", packet_hops);
  if (is_real_time) {
    out += fmt::format("packets came out after they were due by {:.0f} us (median), {:.0f} us (99 %)\n",
                       lateness.median * 1e6, lateness.p99 * 1e6);
    if (lateness.p99 > kTooLate)
      out += "This machine is too slow for the scenario: take smaller rates, or the simulator.\n";
  }
  out += '\n';
  size_t number = 0;
  for (const ConnectionResult& c : connections) {
    if (++number > kMostLinesOfAKind) {
      out += fmt::format("... and {} connections more (--json has all)\n",
                         connections.size() - kMostLinesOfAKind);
      break;
    }
    out += fmt::format("connection {}: {} {} -> {}  {}  {} in {:.3f} s  {}", number, c.kind, c.from, c.to,
                       rate_text(c.goodput_bits_per_s), size_text(static_cast<double>(c.bytes)),
                       c.end_s - c.start_s, outcome(c));
    if (c.wasted_bytes > 0) out += fmt::format("  wasted {}", size_text(static_cast<double>(c.wasted_bytes)));
    if (c.fallback != "none") out += fmt::format("  plain TCP: {}", c.fallback);
    out += '\n';
    if (c.delay.count > 0) {
      out += fmt::format(
          "  delay of {}: median {:.1f} ms, 95 % {:.1f} ms, 99 % {:.1f} ms, longest {:.1f} ms\n",
          c.delay.count, c.delay.median * 1e3, c.delay.p95 * 1e3, c.delay.p99 * 1e3, c.delay.max * 1e3);
    }
    uint64_t total = 0;
    for (const SubflowResult& s : c.subflows) total += s.sent_bytes;
    for (const SubflowResult& s : c.subflows) {
      out += fmt::format(
          "  {} -> {}  {} ({:.0f} %)  srtt {:.1f} ms  retransmitted {}  timeouts {}{}\n", s.local, s.remote,
          size_text(static_cast<double>(s.sent_bytes)),
          total == 0 ? 0.0 : 100.0 * static_cast<double>(s.sent_bytes) / static_cast<double>(total),
          s.srtt_ms, s.retransmissions, s.timeouts, s.is_backup ? "  backup" : "");
    }
  }
  for (const ProgramResult& p : programs) {
    out += fmt::format("{}: {}  {:.3f} s  {}\n", p.host, p.command, p.end_s - p.start_s,
                       p.exit_status ? fmt::format("exit status {}", *p.exit_status) : "ended at the end");
    if (p.exit_status.value_or(0) != 0) out += p.output + '\n';
  }
  out += fmt::format("\n{:<24} {:<9} {:>10} {:>6} {:>10} {:>10} {:>8} {:>8} {:>8}\n", "link", "direction",
                     "carried", "used", "queue mean", "queue max", "overflow", "lost", "down");
  number = 0;
  for (const LinkResult& l : links) {
    if (++number > kMostLinesOfAKind) {
      out += "... (--json has all)\n";
      break;
    }
    out += fmt::format("{:<24} {:<9} {:>10} {:>5.0f}% {:>10} {:>10} {:>8} {:>8} {:>8}\n", l.name, l.direction,
                       size_text(static_cast<double>(l.bytes)), l.utilisation * 100,
                       size_text(l.queue_mean_bytes), size_text(static_cast<double>(l.queue_max_bytes)),
                       l.dropped_queue, l.dropped_loss, l.dropped_down);
  }
  return out;
}

std::string Results::series_csv() const {
  std::string out = "time_s,subject,quantity,value\n";
  for (const Sample& s : series)
    out += fmt::format("{:.6f},{},{},{:.6g}\n", s.time_s, s.subject, s.quantity, s.value);
  return out;
}

}  // namespace braid::scenario
