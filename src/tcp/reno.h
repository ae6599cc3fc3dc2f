// Reno (RFC 5681), counting octets (RFC 3465): one ACK may stand for a whole super-segment.
#pragma once

#include "tcp/congestion_control.h"

namespace braid::tcp {

/// The base of algorithms that differ from Reno in how congestion avoidance grows.
class Reno : public CongestionControl {
 public:
  explicit Reno(uint32_t mss_bytes)
      : mss_bytes_(mss_bytes), cwnd_bytes_(uint64_t{kInitialWindowSegments} * mss_bytes) {}

  std::string_view name() const override { return "reno"; }
  void on_ack(const AckSample& sample) override;
  void on_congestion(const LossSample& sample) override;
  void on_timeout(const LossSample& sample, bool is_first) override;
  void on_spurious() override;
  void on_idle_restart(Duration idle) override;
  void set_mss(uint32_t mss_bytes) override;
  void take_over(uint64_t cwnd_bytes, uint64_t ssthresh_bytes) override;
  uint64_t cwnd_bytes() const override { return cwnd_bytes_; }
  uint64_t ssthresh_bytes() const override { return ssthresh_bytes_; }

 protected:
  /// By how many octets (parts of octets add up) `acked_bytes` lets the window grow in congestion avoidance.
  /// May be negative; the window never falls under a segment.
  virtual double increase_bytes(const AckSample& sample, uint64_t acked_bytes);
  /// RFC 5681, 3.1, equation 4.
  virtual uint64_t reduced_window_bytes(const LossSample& sample) const;
  uint32_t mss_bytes() const { return mss_bytes_; }
  /// For algorithms that set their window themselves. At least a segment.
  void set_window(uint64_t cwnd_bytes, uint64_t ssthresh_bytes);

 private:
  struct Window {
    uint64_t cwnd_bytes = 0, ssthresh_bytes = 0;
  };

  uint32_t mss_bytes_;
  uint64_t cwnd_bytes_;
  uint64_t ssthresh_bytes_ = UINT64_MAX;
  double fraction_bytes_ = 0;
  Window before_reduction_;
};

}  // namespace braid::tcp
