// The page of metrics: what the daemon counts and measures, with labels whose number is bounded: this host's
// addresses, states, devices. A connection has lines of its own only if the configuration asks for that.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "host/host.h"
#include "io/packet_device.h"
#include "mptcp/decision.h"
#include "service/metrics_writer.h"

namespace braid::service {

/// [metrics] of the configuration.
struct MetricsSettings {
  std::string listen;        // empty: no metrics
  uint32_t connections = 0;  // so many connections at most have lines of their own
};

/// What subflows that are gone carried, by the host's address: with those that live, counters that never go
/// back. Goes in front of other logs.
class EndedPaths final : public mptcp::DecisionLog {
 public:
  static constexpr size_t kMostAddresses = 64;  // what else there is counts as "other"
  struct Totals {
    uint64_t subflows = 0, sent_bytes = 0, received_bytes = 0, retransmitted_bytes = 0;
  };
  /// It outlives this; may be null.
  explicit EndedPaths(mptcp::DecisionLog* next) : next_(next) {}
  void on_decision(const mptcp::Connection& connection, const mptcp::Decision& decision, Time now) override;
  const std::map<std::string, Totals>& by_address() const { return by_address_; }

 private:
  mptcp::DecisionLog* next_;
  std::map<std::string, Totals> by_address_;
};

struct MetricsInput {
  std::string_view version;
  double start_unix_s = 0;
  const mptcp::Counters* counters = nullptr;
  std::vector<host::Host::ConnectionEntry> connections;
  const std::map<std::string, EndedPaths::Totals>* ended = nullptr;
  std::vector<std::pair<std::string, io::DeviceCounters>> devices;
  size_t sockets = 0, listeners = 0;
  size_t histories = 0, subscribers = 0;
  uint64_t history_bytes = 0, lost_events = 0;
  double cpu_s = 0;  // of the process, as the rest
  uint64_t resident_bytes = 0, open_descriptors = 0, most_descriptors = 0;
};

std::string metrics_page(const MetricsInput& input, const MetricsSettings& settings, MetricsFormat format);

/// What a counter counts, for HELP. Never empty.
std::string_view help_of(mptcp::Counter counter);
/// "braid_MPTcpExtMPCapableSYNRX", "braid_FallbackDisabled": without "_total".
std::string metric_name_of(mptcp::Counter counter);
/// It goes down, too.
bool is_gauge(mptcp::Counter counter);

}  // namespace braid::service
