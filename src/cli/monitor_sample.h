// What `braid monitor` shows: the daemon's answers to "ss", and rates, which are the difference of two of
// them.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <unordered_map>
#include <vector>

namespace braid::cli {

/// Rates are of payload, in octets a second; of the first sample they are 0.
struct Traffic {
  double in = 0, out = 0;           // rates
  double lost = 0;                  // share of what was sent that was sent again, 0..1, since the last sample
  uint64_t received = 0, sent = 0;  // octets so far
  double both() const { return in + out; }
};

struct PathSample {
  int index = 0;
  std::string local, remote;  // endpoints
  std::string state;          // "up", "backup", "silent", "joining", or TCP's when it is none of these
  Traffic traffic;
  double rtt_us = 0;
  uint64_t cwnd_bytes = 0, in_flight_bytes = 0, retransmissions = 0;
};

struct ConnectionSample {
  std::string token;  // "-": it never had one
  std::string local, remote, state;
  std::string protocol;  // "MPTCP", "TCP", or "..." while that is open
  std::string fallback;  // why it is plain TCP
  std::string scheduler;
  uint64_t pid = 0;
  double age_s = 0;
  Traffic traffic;
  double rtt_us = 0;  // the least of its paths'
  std::vector<PathSample> paths;
  std::string key() const { return local + "->" + remote; }
};

/// All subflows from one of the host's addresses.
struct AddressSample {
  std::string address;
  Traffic traffic;
  double rtt_us = 0;  // mean over its subflows
  int subflows = 0, silent = 0, backup = 0;
};

struct Snapshot {
  std::string version;
  double time_unix_s = 0, uptime_s = 0;
  double interval_s = 0;  // that rates are over; 0: no rates yet
  size_t listeners = 0;
  Traffic traffic;
  std::vector<ConnectionSample> connections;
  std::vector<AddressSample> addresses;  // by address
  std::vector<std::string> events;       // oldest first
};

/// Remembers the counters of the sample before.
class Sampler {
 public:
  /// `ss` and `status` as service/control.h has them; `now_s` on any clock that goes steadily.
  Snapshot take(const nlohmann::json& ss, const nlohmann::json& status, double now_s);

 private:
  struct Counted {
    uint64_t received = 0, sent = 0, retransmitted = 0;
  };
  void measure(const std::string& key, const nlohmann::json& subflow, double elapsed_s, Traffic& traffic,
               double& sent, double& again);
  PathSample read_path(const std::string& connection, const nlohmann::json& subflow, double elapsed_s,
                       double& sent, double& again);

  std::unordered_map<std::string, Counted> before_, now_;
  double before_s_ = 0;
  bool has_before_ = false;
};

}  // namespace braid::cli
