#include "mptcp/coupled/lia.h"

#include <algorithm>

namespace braid::mptcp {

std::unique_ptr<tcp::CongestionControl> LiaGroup::make_member(uint32_t mss_bytes) {
  return std::make_unique<LiaMember>(mss_bytes, *this);
}

// RFC 6356, 3 and 4.1: alpha = cwnd_total * max(cwnd_i / rtt_i^2) / (sum(cwnd_i / rtt_i))^2; cwnd_total
// cancels out.
double LiaGroup::aggregate_increase() const {
  double best = 0;
  double sum = 0;
  for (const LiaMember* member : members_) {
    const double rtt = std::chrono::duration<double>(member->srtt()).count();
    if (rtt <= 0) continue;
    const auto cwnd = static_cast<double>(member->cwnd_bytes());
    best = std::max(best, cwnd / (rtt * rtt));
    sum += cwnd / rtt;
  }
  return sum > 0 ? best / (sum * sum) : 0;
}

LiaMember::LiaMember(uint32_t mss_bytes, LiaGroup& group) : Reno(mss_bytes), group_(&group) {
  group.members_.push_back(this);
}

LiaMember::~LiaMember() { LiaMember::on_closed(); }

void LiaMember::on_closed() {
  if (group_ != nullptr) std::erase(group_->members_, this);
  group_ = nullptr;
}

void LiaMember::on_ack(const tcp::AckSample& sample) {
  if (sample.srtt > Duration(0)) srtt_ = sample.srtt;
  Reno::on_ack(sample);
}

double LiaMember::increase_bytes(const tcp::AckSample& sample, uint64_t acked_bytes) {
  const double alone = Reno::increase_bytes(sample, acked_bytes);
  const double coupled = group_ != nullptr ? group_->aggregate_increase() : 0;
  if (coupled <= 0) return alone;
  const auto acked = static_cast<double>(std::min(acked_bytes, cwnd_bytes()));
  return std::min(coupled * acked * mss_bytes(), alone);
}

// RFC 6356, 3: with several paths ssthresh may go down to one segment.
uint64_t LiaMember::reduced_window_bytes(const tcp::LossSample& sample) const {
  if (group_ == nullptr || group_->member_count() < 2) return Reno::reduced_window_bytes(sample);
  return std::max(tcp::window_in_use_bytes(sample, cwnd_bytes(), mss_bytes()) / 2, uint64_t{mss_bytes()});
}

}  // namespace braid::mptcp
