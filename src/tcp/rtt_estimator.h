// Round-trip time and retransmission timeout: RFC 6298.
#pragma once

#include <array>

#include "base/time.h"

namespace braid::tcp {

struct RtoLimits {
  Duration initial = 1s;  // RFC 6298, 2.1
  Duration min = 200ms;   // as Linux; RFC 6298 says 1 s (SHOULD), which costs a second at every tail loss
  Duration max = 120s;    // RFC 6298, 2.5: at least 60 s
};

class RttEstimator {
 public:
  explicit RttEstimator(const RtoLimits& limits) : limits_(limits) {}
  /// A sample that obeys Karn's rule or comes from timestamps.
  void on_sample(Duration rtt, Time now);
  /// A sample for the minimum only: of the youngest data that an ACK covers, when on_sample() gets the
  /// oldest.
  void on_least_sample(Duration rtt, Time now);

  bool has_sample() const { return srtt_ != Duration(0); }
  Duration srtt() const { return srtt_; }
  Duration rttvar() const { return rttvar_; }
  Duration latest() const { return latest_; }
  /// Least over a sliding window of 5 minutes or so (RACK needs one that forgets old routes).
  Duration min_rtt() const { return least_[0].rtt; }
  /// RTO without back-off.
  Duration rto() const;
  const RtoLimits& limits() const { return limits_; }

 private:
  struct Least {
    Duration rtt{0};
    Time at{};
  };

  RtoLimits limits_;
  Duration srtt_{0}, rttvar_{0}, latest_{0};
  // The best, second and third best of the window, each later than the one before: the best has a successor
  // when it grows too old.
  std::array<Least, 3> least_{};
};

}  // namespace braid::tcp
