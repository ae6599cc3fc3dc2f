#include "cli/monitor_sample.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace braid::cli {

namespace {
using nlohmann::json;

std::string state_of(const json& s) {
  const std::string state = s.value("state", "");
  if (!s.value("is_fully_established", true)) return s.value("is_initial", false) ? "opening" : "joining";
  if (s.value("is_stalled", false)) return "silent";
  if (state != "ESTABLISHED") return state;
  return s.value("is_backup", false) ? "backup" : "up";
}

std::string address_of(const std::string& endpoint) {
  const size_t colon = endpoint.rfind(':');
  std::string address = endpoint.substr(0, colon);
  if (address.starts_with('[') && address.ends_with(']')) address = address.substr(1, address.size() - 2);
  return address;
}

void add(Traffic& to, const Traffic& traffic) {
  to.in += traffic.in;
  to.out += traffic.out;
  to.received += traffic.received;
  to.sent += traffic.sent;
}

ConnectionSample read_connection(const json& c) {
  ConnectionSample out;
  out.local = c.value("local", "");
  out.remote = c.value("remote", "");
  out.state = c.value("state", "");
  out.scheduler = c.value("scheduler", "");
  const std::string multipath = c.value("multipath", "");
  const bool is_plain = multipath == "fallback";
  out.protocol = is_plain ? "TCP" : multipath == "established" ? "MPTCP" : "...";
  if (is_plain) out.fallback = c.value("fallback", "");
  const auto token = c.value("local_token", 0u);
  out.token = token == 0 ? "-" : fmt::format("{:08x}", token);
  if (const auto owner = c.find("owner"); owner != c.end()) out.pid = owner->value("pid", uint64_t{0});
  out.age_s = c.value("age_us", 0.0) / 1e6;
  return out;
}

struct AddressTotals {
  AddressSample sample;
  double rtt_sum = 0, sent = 0, again = 0;
  int measured = 0;
};

double share(double part, double whole) { return whole > 0 ? std::min(part / whole, 1.0) : 0; }

}  // namespace

void Sampler::measure(const std::string& key, const json& subflow, double elapsed_s, Traffic& traffic,
                      double& sent, double& again) {
  const Counted counted{subflow.value("data_received_bytes", uint64_t{0}),
                        subflow.value("data_sent_bytes", uint64_t{0}),
                        subflow.value("retransmitted_bytes", uint64_t{0})};
  traffic.received = counted.received;
  traffic.sent = counted.sent;
  now_[key] = counted;
  // One that is new since has all of its bytes from this interval.
  const auto found = before_.find(key);
  const Counted last = found == before_.end() ? Counted{} : found->second;
  if (elapsed_s <= 0 || counted.received < last.received || counted.sent < last.sent) return;
  traffic.in = static_cast<double>(counted.received - last.received) / elapsed_s;
  traffic.out = static_cast<double>(counted.sent - last.sent) / elapsed_s;
  sent = static_cast<double>(counted.sent - last.sent);
  again = static_cast<double>(counted.retransmitted - std::min(last.retransmitted, counted.retransmitted));
  traffic.lost = share(again, sent + again);
}

PathSample Sampler::read_path(const std::string& connection, const json& s, double elapsed_s, double& sent,
                              double& again) {
  PathSample out;
  out.index = s.value("index", 0);
  out.local = s.value("local", "");
  out.remote = s.value("remote", "");
  out.state = state_of(s);
  out.rtt_us = s.value("srtt_us", 0.0);
  out.cwnd_bytes = s.value("cwnd_bytes", uint64_t{0});
  out.in_flight_bytes = s.value("in_flight_bytes", uint64_t{0});
  out.retransmissions = s.value("retransmissions", uint64_t{0});
  measure(connection + "/" + out.local + "->" + out.remote, s, elapsed_s, out.traffic, sent, again);
  return out;
}

Snapshot Sampler::take(const json& ss, const json& status, double now_s) {
  Snapshot out;
  out.version = status.value("version", "");
  out.uptime_s = status.value("uptime_us", 0.0) / 1e6;
  out.interval_s = has_before_ ? now_s - before_s_ : 0;
  out.listeners = ss.value("listeners", json::array()).size();
  now_.clear();
  std::map<std::string, AddressTotals> addresses;
  double all_sent = 0, all_again = 0;
  for (const json& c : ss.value("connections", json::array())) {
    ConnectionSample connection = read_connection(c);
    double connection_sent = 0, connection_again = 0;
    for (const json& s : c.value("subflows", json::array())) {
      double sent = 0, again = 0;
      PathSample path = read_path(connection.key(), s, out.interval_s, sent, again);
      add(connection.traffic, path.traffic);
      connection_sent += sent;
      connection_again += again;
      if (path.rtt_us > 0)
        connection.rtt_us = connection.rtt_us > 0 ? std::min(connection.rtt_us, path.rtt_us) : path.rtt_us;
      AddressTotals& totals = addresses[address_of(path.local)];
      add(totals.sample.traffic, path.traffic);
      totals.sent += sent;
      totals.again += again;
      totals.rtt_sum += path.rtt_us;
      totals.measured += path.rtt_us > 0;
      ++totals.sample.subflows;
      totals.sample.silent += path.state == "silent";
      totals.sample.backup += path.state == "backup";
      connection.paths.push_back(std::move(path));
    }
    connection.traffic.lost = share(connection_again, connection_sent + connection_again);
    add(out.traffic, connection.traffic);
    all_sent += connection_sent;
    all_again += connection_again;
    out.connections.push_back(std::move(connection));
  }
  out.traffic.lost = share(all_again, all_sent + all_again);
  for (auto& [address, totals] : addresses) {
    totals.sample.address = address;
    totals.sample.traffic.lost = share(totals.again, totals.sent + totals.again);
    if (totals.measured > 0) totals.sample.rtt_us = totals.rtt_sum / totals.measured;
    out.addresses.push_back(std::move(totals.sample));
  }
  std::swap(before_, now_);
  before_s_ = now_s;
  has_before_ = true;
  return out;
}

}  // namespace braid::cli
