// What a middlebox remembers of each connection that passes it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>

#include "sim/middlebox/middlebox.h"
#include "sim/middlebox/tcp_packet.h"

namespace braid::sim {

/// A flow as it goes forward: local is the end where kForward begins.
inline wire::FourTuple flow_of(const TcpPacket& packet, Direction direction) {
  return direction == Direction::kForward ? wire::FourTuple{packet.source(), packet.destination()}
                                          : wire::FourTuple{packet.destination(), packet.source()};
}

/// Bounded: when it is full the flow that was not seen for longest is forgotten.
template <class State>
class FlowTable {
 public:
  static constexpr size_t kMostFlows = 16384;

  /// Made if it is not there. It may be of an earlier connection on the same ports: boxes to which that
  /// matters look at the SYN.
  State& get(const wire::FourTuple& flow) {
    auto found = flows_.find(flow);
    if (found == flows_.end()) {
      if (flows_.size() >= kMostFlows) forget_oldest();
      found = flows_.emplace(flow, Entry{}).first;
    }
    found->second.used = ++clock_;
    return found->second.state;
  }
  State* find(const wire::FourTuple& flow) {
    const auto found = flows_.find(flow);
    if (found == flows_.end()) return nullptr;
    found->second.used = ++clock_;
    return &found->second.state;
  }
  void erase(const wire::FourTuple& flow) { flows_.erase(flow); }
  size_t size() const { return flows_.size(); }
  template <class Visit>
  void for_each(Visit&& visit) {
    for (auto& [flow, entry] : flows_) visit(flow, entry.state);
  }

 private:
  struct Entry {
    State state{};
    uint64_t used = 0;
  };
  void forget_oldest() {
    flows_.erase(std::min_element(flows_.begin(), flows_.end(), [](const auto& a, const auto& b) {
      return a.second.used < b.second.used;
    }));
  }
  std::map<wire::FourTuple, Entry> flows_;
  uint64_t clock_ = 0;
};

}  // namespace braid::sim
