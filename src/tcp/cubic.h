// CUBIC (RFC 9438) with HyStart++ (RFC 9406).
#pragma once

#include "tcp/congestion_control.h"
#include "tcp/hystart.h"

namespace braid::tcp {

class Cubic final : public CongestionControl {
 public:
  explicit Cubic(uint32_t mss_bytes);

  std::string_view name() const override { return "cubic"; }
  void on_ack(const AckSample& sample) override;
  void on_congestion(const LossSample& sample) override;
  void on_timeout(const LossSample& sample, bool is_first) override;
  void on_spurious() override;
  void on_idle_restart(Duration idle) override;
  void set_mss(uint32_t mss_bytes) override;
  void take_over(uint64_t cwnd_bytes, uint64_t ssthresh_bytes) override;
  uint64_t cwnd_bytes() const override;
  uint64_t ssthresh_bytes() const override { return window_.ssthresh_bytes; }

 private:
  /// All that a spurious reduction has to put back (RFC 9438, 4.9). Windows in octets.
  struct Window {
    double cwnd_bytes = 0;
    uint64_t ssthresh_bytes = UINT64_MAX;
    double w_max_bytes = 0;       // before the last reduction, less after fast convergence
    double cwnd_prior_bytes = 0;  // before the last reduction
    // The stage of congestion avoidance; epoch_start is kNever outside of one.
    Time epoch_start = kNever;
    double k_seconds = 0;
    double w_est_bytes = 0;  // what Reno would have
  };

  double w_cubic_bytes(double t_seconds) const;
  void begin_epoch(Time now);
  void grow(const AckSample& sample, double acked_bytes);
  void reduce(const LossSample& sample);

  uint32_t mss_bytes_;
  Window window_;
  Window before_reduction_;
  Hystart hystart_;
  bool is_after_timeout_ = false;  // the next epoch starts flat (RFC 9438, 4.8)
  Time limited_by_application_since_ = kNever;
};

}  // namespace braid::tcp
