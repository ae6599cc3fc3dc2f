// LIA, the linked increases algorithm (RFC 6356): together the subflows take no more than one TCP on the best
// path would, and move away from congested paths.
#pragma once

#include <vector>

#include "mptcp/coupled/coupled.h"
#include "tcp/reno.h"

namespace braid::mptcp {

class LiaMember;

class LiaGroup final : public CoupledGroup {
 public:
  std::unique_ptr<tcp::CongestionControl> make_member(uint32_t mss_bytes) override;
  size_t member_count() const { return members_.size(); }

 private:
  friend class LiaMember;
  /// alpha / cwnd_total of RFC 6356, 3, in segments of `mss_bytes`, per octet acknowledged; 0: no member has
  /// an RTT yet.
  double aggregate_increase() const;
  std::vector<LiaMember*> members_;
};

class LiaMember final : public tcp::Reno {
 public:
  LiaMember(uint32_t mss_bytes, LiaGroup& group);
  ~LiaMember() override;

  std::string_view name() const override { return "lia"; }
  void on_ack(const tcp::AckSample& sample) override;
  void on_closed() override;
  Duration srtt() const { return srtt_; }

 protected:
  double increase_bytes(const tcp::AckSample& sample, uint64_t acked_bytes) override;
  uint64_t reduced_window_bytes(const tcp::LossSample& sample) const override;

 private:
  LiaGroup* group_;  // nullptr once it has left
  Duration srtt_{0};
};

}  // namespace braid::mptcp
