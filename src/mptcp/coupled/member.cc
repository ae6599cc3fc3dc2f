#include "mptcp/coupled/member.h"

#include <algorithm>

namespace braid::mptcp {

CoupledMember::CoupledMember(uint32_t mss_bytes, Members& members) : Reno(mss_bytes), members_(&members) {
  members.push_back(this);
}

CoupledMember::~CoupledMember() { CoupledMember::on_closed(); }

void CoupledMember::on_closed() {
  if (members_ != nullptr) std::erase(*members_, this);
  members_ = nullptr;
}

void CoupledMember::on_ack(const tcp::AckSample& sample) {
  if (sample.srtt > Duration(0)) rtt_seconds_ = std::chrono::duration<double>(sample.srtt).count();
  Reno::on_ack(sample);
}

double CoupledMember::total_rate() const {
  double total = 0;
  for_each_peer([&](const CoupledMember& peer) { total += peer.rate(); });
  return total;
}

uint64_t CoupledMember::reduced_window_bytes(const tcp::LossSample& sample) const {
  return std::max(tcp::window_in_use_bytes(sample, cwnd_bytes(), mss_bytes()) / 2, least_ssthresh_bytes());
}

}  // namespace braid::mptcp
