// wVegas, weighted Vegas (Cao, Xu, Fu: "Delay-based congestion control for multipath TCP", ICNP 2012): every
// subflow keeps a few segments in the queue of its path, in all ten for a connection, shared by what the
// paths carry. Queues stay short; next to flows that fill them it gets little, as all that go by delay.
#pragma once

#include "mptcp/coupled/member.h"

namespace braid::mptcp {

class Wvegas final : public CoupledMember {
 public:
  using CoupledMember::CoupledMember;
  std::string_view name() const override { return "wvegas"; }
  void on_ack(const tcp::AckSample& sample) override;
  void on_congestion(const tcp::LossSample& sample) override;
  void on_timeout(const tcp::LossSample& sample, bool is_first) override;
  void on_idle_restart(Duration idle) override;

 protected:
  double increase_bytes(const tcp::AckSample& sample, uint64_t acked_bytes) override;

 private:
  /// What the ACKs of one round trip told.
  struct Round {
    StreamOffset end;
    uint32_t samples = 0;
    double sum_seconds = 0;
    bool is_limited = false;  // the window was full once
  };
  void end_round();
  void leave_slow_start(double window, double target);
  void adapt(double window, double rtt, double queued);
  void set_segments(double segments, bool is_threshold_too);

  Round round_;
  double base_rtt_seconds_ = 0;        // least of a segment ever; 0: none yet
  double least_queueing_seconds_ = 0;  // since the queue was drained last; 0: none
  double alpha_segments_ = 2;          // how many to have in the queue
  double equilibrium_rate_ = 0;        // octets per second, when the queue held as many
};

}  // namespace braid::mptcp
