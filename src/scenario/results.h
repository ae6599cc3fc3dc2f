// What came of a run: the same form from the simulator and from real time.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "mptcp/counters.h"
#include "sim/network.h"

namespace braid::scenario {

struct DelaySummary {  // seconds
  uint64_t count = 0;
  double min = 0, median = 0, p95 = 0, p99 = 0, max = 0;
};
DelaySummary summarise(std::vector<double> seconds);

struct SubflowResult {
  uint8_t index = 0;  // the series call it "subflow <index + 1>"
  std::string local, remote;
  uint64_t sent_bytes = 0, received_bytes = 0;
  double srtt_ms = 0;
  uint64_t retransmissions = 0, timeouts = 0;
  bool is_backup = false;  // in the view of the sender, from either side's MP_PRIO
};

struct ConnectionResult {
  std::string kind, from, to;
  uint64_t bytes = 0;  // delivered, both directions
  /// Payload that went out besides what was new: reinjected, copied (redundancy) or retransmitted; both
  /// directions.
  uint64_t wasted_bytes = 0;
  double start_s = 0, end_s = 0, goodput_bits_per_s = 0;
  double longest_gap_s = 0;
  bool is_complete = false, is_intact = true;
  std::string failure;  // empty: none
  std::string multipath, fallback;
  bool had_further_paths = false;
  DelaySummary delay;
  std::vector<SubflowResult> subflows;  // the sender's
  uint64_t sender_memory_max = 0, receiver_memory_max = 0;
};

struct LinkResult {
  std::string name, direction;
  uint64_t packets = 0, bytes = 0;
  double utilisation = 0;  // 0 without a rate
  double queue_mean_bytes = 0;
  uint64_t queue_max_bytes = 0;
  uint64_t dropped_queue = 0, dropped_loss = 0, dropped_down = 0, dropped_mtu = 0, marked = 0;
};

struct HostResult {
  std::string name;
  mptcp::Counters counters;  // since its last restart
};

/// What the directions of a network's links did up to now.
std::vector<LinkResult> links_of(const sim::Network& network);

/// One value at one time, a row of the CSV.
struct Sample {
  double time_s = 0;
  std::string subject;   // "connection 1", "connection 1 subflow 2", "link wifi forward"
  const char* quantity;  // "goodput", "rate" (bit/s), "cwnd", "queue", "memory" (bytes), "srtt" (ms)
  double value = 0;
};

/// A program of the scenario, in real time.
struct ProgramResult {
  std::string host, command;
  double start_s = 0, end_s = 0;
  std::optional<int> exit_status;  // nothing: it was ended, since nobody waits for it
  std::string output;              // the last of what it wrote, both streams
};

struct Results {
  std::string scenario;
  uint64_t seed = 0;
  bool is_real_time = false;
  double elapsed_s = 0;
  uint64_t packet_hops = 0, events = 0;
  uint64_t retransmissions = 0;   // segments, of all hosts; a host that was restarted has forgotten
  uint64_t wasted_bytes() const;  ///< of all connections
  DelaySummary delay;             // of all connections together
  std::vector<ConnectionResult> connections;
  std::vector<LinkResult> links;
  std::vector<HostResult> hosts;
  std::vector<ProgramResult> programs;
  DelaySummary lateness;  // of packets, in real time: after they were due at the far end of their link
  std::vector<Sample> series;

  /// False: a byte was wrong, or a connection or a program failed.
  bool is_sound() const;
  /// What all connections delivered, from the first's start to the last's end.
  double goodput_bits_per_s() const;
  nlohmann::ordered_json to_json() const;
  std::string to_text() const;
  std::string series_csv() const;
};

}  // namespace braid::scenario
