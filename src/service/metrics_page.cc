#include "service/metrics_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "tcp/subflow.h"

namespace braid::service {

namespace {

using Labels = MetricsWriter::Labels;

double seconds(Duration d) { return std::chrono::duration<double>(d).count(); }

std::string_view protocol_of(const mptcp::ConnectionInfo& info) {
  switch (info.multipath) {
    case mptcp::MultipathState::kEstablished:
      return "mptcp";
    case mptcp::MultipathState::kFallback:
      return "tcp";
    default:
      return "undecided";
  }
}

constexpr std::array<std::string_view, 4> kPathStates = {"up", "backup", "silent", "opening"};
size_t state_of(const mptcp::SubflowInfo& s) {
  if (!s.is_fully_established) return 3;
  if (s.is_stalled) return 2;
  return s.is_backup ? 1 : 0;
}

/// The subflows from one address of this host.
struct Path {
  EndedPaths::Totals totals;
  std::array<uint64_t, kPathStates.size()> states{};
  uint64_t cwnd_bytes = 0, in_flight_bytes = 0, timeouts = 0, measured = 0;
  Duration rtt_sum{0}, rtt_min{0}, rtt_max{0};

  void add(const mptcp::SubflowInfo& s) {
    totals.sent_bytes += s.data_sent_bytes;
    totals.received_bytes += s.data_received_bytes;
    totals.retransmitted_bytes += s.retransmitted_bytes;
    ++states[state_of(s)];
    cwnd_bytes += s.cwnd_bytes;
    in_flight_bytes += s.in_flight_bytes;
    if (s.srtt <= Duration{0}) return;
    rtt_min = measured == 0 ? s.srtt : std::min(rtt_min, s.srtt);
    rtt_max = std::max(rtt_max, s.srtt);
    rtt_sum += s.srtt;
    ++measured;
  }
};
using Paths = std::map<std::string, Path>;

Paths collect_paths(const MetricsInput& input) {
  Paths paths;
  if (input.ended != nullptr)
    for (const auto& [address, totals] : *input.ended) paths[address].totals = totals;
  for (const auto& entry : input.connections) {
    for (const mptcp::SubflowInfo& s : entry.info.subflows) {
      std::string address = s.tuple.local.address.to_string();
      const bool is_full = paths.size() >= EndedPaths::kMostAddresses && !paths.contains(address);
      paths[is_full ? "other" : std::move(address)].add(s);
    }
  }
  return paths;
}

void write_process(MetricsWriter& out, const MetricsInput& input) {
  out.begin_gauge("braid_build_info", "A constant 1; the version is the label.");
  out.add(uint64_t{1}, {{"version", std::string(input.version)}});
  out.begin_gauge("process_start_time_seconds", "When the daemon began, since 1970.");
  out.add(input.start_unix_s);
  out.begin_counter("process_cpu_seconds", "CPU time of the daemon, its own and the kernel's for it.");
  out.add(input.cpu_s);
  out.begin_gauge("process_resident_memory_bytes", "Memory of the daemon that is resident.");
  out.add(input.resident_bytes);
  out.begin_gauge("process_open_fds",
                  "Descriptors that the daemon has open: one at least for each socket of a program.");
  out.add(input.open_descriptors);
  out.begin_gauge("process_max_fds", "How many it may have open.");
  out.add(input.most_descriptors);
}

void write_connections(MetricsWriter& out, const MetricsInput& input) {
  std::map<std::pair<std::string, std::string>, uint64_t> states;
  std::array<uint64_t, 6> by_paths{};
  uint64_t to_send = 0, to_read = 0, out_of_order = 0;
  for (const auto& entry : input.connections) {
    const mptcp::ConnectionInfo& info = entry.info;
    ++states[{info.state, std::string(protocol_of(info))}];
    ++by_paths[std::min<size_t>(info.subflows.size(), by_paths.size() - 1)];
    to_send += info.send_queue_bytes;
    to_read += info.receive_queue_bytes;
    out_of_order += info.out_of_order_bytes;
  }
  out.begin_gauge("braid_connections",
                  "Connections by the state at data level, and by whether they are Multipath TCP.");
  for (const auto& [key, count] : states) out.add(count, {{"state", key.first}, {"protocol", key.second}});
  out.begin_gauge("braid_connections_by_paths",
                  "Connections by how many subflows they have; 5: five and more.");
  for (size_t i = 0; i < by_paths.size(); ++i) out.add(by_paths[i], {{"paths", fmt::format("{}", i)}});
  out.begin_gauge("braid_send_queue_bytes", "What programs wrote and the peers have not acknowledged.");
  out.add(to_send);
  out.begin_gauge("braid_receive_queue_bytes", "What came and programs have not read.");
  out.add(to_read);
  out.begin_gauge("braid_out_of_order_bytes", "What came and waits for data before it, on another path say.");
  out.add(out_of_order);
  out.begin_gauge("braid_sockets", "Sockets that programs have.");
  out.add(uint64_t{input.sockets});
  out.begin_gauge("braid_listeners", "Ports that programs listen on.");
  out.add(uint64_t{input.listeners});
}

void write_paths(MetricsWriter& out, const Paths& paths) {
  const auto write = [&](auto member) {
    for (const auto& [address, path] : paths) out.add(member(path), {{"local", address}});
  };
  out.begin_gauge("braid_path_subflows",
                  "Subflows by this host's address, and by state: up, backup, silent (no answer for a "
                  "timeout), opening.");
  for (const auto& [address, path] : paths)
    for (size_t i = 0; i < kPathStates.size(); ++i)
      out.add(path.states[i], {{"local", address}, {"state", std::string(kPathStates[i])}});
  out.begin_counter("braid_path_sent_bytes",
                    "Payload that subflows from this address sent, reinjections included.");
  write([](const Path& p) { return p.totals.sent_bytes; });
  out.begin_counter("braid_path_received_bytes", "Payload that subflows at this address received.");
  write([](const Path& p) { return p.totals.received_bytes; });
  out.begin_counter("braid_path_retransmitted_bytes",
                    "Payload that subflows from this address had to send again.");
  write([](const Path& p) { return p.totals.retransmitted_bytes; });
  out.begin_counter("braid_path_ended_subflows", "Subflows from this address that have ended.");
  write([](const Path& p) { return p.totals.subflows; });
  out.begin_gauge("braid_path_congestion_window_bytes", "Congestion windows of its subflows, added up.");
  write([](const Path& p) { return p.cwnd_bytes; });
  out.begin_gauge("braid_path_in_flight_bytes", "Sent and not acknowledged, of its subflows.");
  write([](const Path& p) { return p.in_flight_bytes; });
  const auto write_rtt = [&](auto member) {
    for (const auto& [address, path] : paths)
      if (path.measured > 0) out.add(member(path), {{"local", address}});
  };
  out.begin_gauge("braid_path_rtt_min_seconds", "The least smoothed round-trip time among its subflows.");
  write_rtt([](const Path& p) { return seconds(p.rtt_min); });
  out.begin_gauge("braid_path_rtt_mean_seconds", "The mean of its subflows' smoothed round-trip times.");
  write_rtt([](const Path& p) { return seconds(p.rtt_sum) / static_cast<double>(p.measured); });
  out.begin_gauge("braid_path_rtt_max_seconds", "The greatest smoothed round-trip time among its subflows.");
  write_rtt([](const Path& p) { return seconds(p.rtt_max); });
}

void write_devices(MetricsWriter& out, const MetricsInput& input) {
  const auto write = [&](std::string_view name, std::string_view help, uint64_t io::DeviceCounters::*member) {
    out.begin_counter(name, help);
    for (const auto& [device, counters] : input.devices) out.add(counters.*member, {{"device", device}});
  };
  using Counters = io::DeviceCounters;
  write("braid_device_received_packets", "Packets from the device; a super-segment is one.",
        &Counters::received_packets);
  write("braid_device_received_bytes", "Octets from the device, headers included.",
        &Counters::received_bytes);
  write("braid_device_sent_packets", "Packets to the device; a super-segment is one.",
        &Counters::sent_packets);
  write("braid_device_sent_bytes", "Octets to the device, headers included.", &Counters::sent_bytes);
  write("braid_device_send_drops", "Packets that the device would not take.", &Counters::send_drops);
  write("braid_device_receive_errors", "Packets that were cut short, or whose header makes no sense.",
        &Counters::receive_errors);
}

void write_seeing(MetricsWriter& out, const MetricsInput& input) {
  out.begin_gauge("braid_histories", "Connections whose decisions are kept (braid why).");
  out.add(uint64_t{input.histories});
  out.begin_gauge("braid_history_bytes", "Memory that those take.");
  out.add(input.history_bytes);
  out.begin_gauge("braid_event_subscribers", "Who follows the events now.");
  out.add(uint64_t{input.subscribers});
  out.begin_counter("braid_events_lost", "Events that subscribers missed because they read too slowly.");
  out.add(input.lost_events);
}

void write_counters(MetricsWriter& out, const mptcp::Counters& counters) {
  for (size_t i = 0; i < mptcp::kCounterCount; ++i) {
    const auto counter = static_cast<mptcp::Counter>(i);
    if (is_gauge(counter))
      out.begin_gauge(metric_name_of(counter), help_of(counter));
    else
      out.begin_counter(metric_name_of(counter), help_of(counter));
    out.add(counters[counter]);
  }
}

/// The first that there are: the oldest.
void write_single_connections(MetricsWriter& out, const MetricsInput& input, size_t most) {
  const size_t count = std::min(input.connections.size(), most);
  const auto write = [&](auto value) {
    for (size_t i = 0; i < count; ++i) {
      const mptcp::ConnectionInfo& info = input.connections[i].info;
      out.add(value(info), Labels{{"token", fmt::format("{:08x}", info.local_token)},
                                  {"local", info.local.to_string()},
                                  {"remote", info.remote.to_string()}});
    }
  };
  out.begin_counter("braid_connection_sent_bytes", "Of one connection: octets sent, each once.");
  write([](const auto& info) { return info.sent_bytes; });
  out.begin_counter("braid_connection_received_bytes", "Of one connection: octets received, each once.");
  write([](const auto& info) { return info.received_bytes; });
  out.begin_counter("braid_connection_reinjected_bytes",
                    "Of one connection: octets given to a second subflow.");
  write([](const auto& info) { return info.reinjected_bytes; });
  out.begin_gauge("braid_connection_paths", "Of one connection: subflows.");
  write([](const auto& info) { return uint64_t{info.subflows.size()}; });
}

}  // namespace

void EndedPaths::on_decision(const mptcp::Connection& connection, const mptcp::Decision& decision, Time now) {
  if (next_ != nullptr) next_->on_decision(connection, decision, now);
  if (decision.kind != mptcp::Decision::Kind::kSubflowEnded) return;
  std::string address = decision.tuple.local.address.to_string();
  const bool is_full = by_address_.size() >= kMostAddresses && !by_address_.contains(address);
  Totals& totals = by_address_[is_full ? "other" : std::move(address)];
  ++totals.subflows;
  totals.sent_bytes += decision.sent_bytes;
  totals.received_bytes += decision.received_bytes;
  totals.retransmitted_bytes += decision.retransmitted_bytes;
}

std::string metric_name_of(mptcp::Counter counter) {
  std::string_view name = mptcp::name_of(counter);
  if (name.starts_with("Braid")) name.remove_prefix(5);
  return "braid_" + std::string(name);
}

bool is_gauge(mptcp::Counter counter) {
  return counter == mptcp::Counter::kCurrEstab || counter == mptcp::Counter::kTcpCurrEstab;
}

std::string metrics_page(const MetricsInput& input, const MetricsSettings& settings, MetricsFormat format) {
  MetricsWriter out(format);
  write_process(out, input);
  write_connections(out, input);
  write_paths(out, collect_paths(input));
  write_devices(out, input);
  write_seeing(out, input);
  if (input.counters != nullptr) write_counters(out, *input.counters);
  if (settings.connections > 0) write_single_connections(out, input, settings.connections);
  return out.finish();
}

}  // namespace braid::service
