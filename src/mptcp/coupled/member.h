// What the coupled algorithms have in common: a subflow's Reno that knows its siblings.
#pragma once

#include <vector>

#include "mptcp/coupled/coupled.h"
#include "tcp/reno.h"

namespace braid::mptcp {

class CoupledMember : public tcp::Reno {
 public:
  using Members = std::vector<CoupledMember*>;

  /// `members`: the group's list, which it joins, and leaves when it is closed or destroyed.
  CoupledMember(uint32_t mss_bytes, Members& members);
  ~CoupledMember() override;
  CoupledMember(const CoupledMember&) = delete;
  CoupledMember& operator=(const CoupledMember&) = delete;

  void on_ack(const tcp::AckSample& sample) override;
  void on_closed() override;
  double rtt_seconds() const { return rtt_seconds_; }  ///< smoothed; 0: none yet
  /// Octets per second; 0: no RTT yet.
  double rate() const { return rtt_seconds_ > 0 ? static_cast<double>(cwnd_bytes()) / rtt_seconds_ : 0; }

 protected:
  /// Those of the group that have an RTT, this one included if it has: what the sums are over.
  template <class Visit>
  void for_each_peer(Visit visit) const {
    if (members_ == nullptr) return;
    for (const CoupledMember* member : *members_) {
      if (member->rtt_seconds_ > 0) visit(*member);
    }
  }
  double total_rate() const;
  bool is_alone() const { return members_ == nullptr || members_->size() < 2; }
  /// ssthresh may go down to one segment when there are several paths (RFC 6356, 3), otherwise to two.
  uint64_t least_ssthresh_bytes() const { return (is_alone() ? 2 : 1) * uint64_t{mss_bytes()}; }
  uint64_t reduced_window_bytes(const tcp::LossSample& sample) const override;

 private:
  Members* members_;  // nullptr once it has left
  double rtt_seconds_ = 0;
};

/// A group whose members share nothing but the list of them.
template <class Member>
class GroupOf final : public CoupledGroup {
 public:
  std::unique_ptr<tcp::CongestionControl> make_member(uint32_t mss_bytes) override {
    return std::make_unique<Member>(mss_bytes, members_);
  }

 private:
  CoupledMember::Members members_;
};

}  // namespace braid::mptcp
