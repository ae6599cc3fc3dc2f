// Relays that run, each until it is over.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "io/event_loop.h"
#include "relay/relay.h"

namespace braid::relay {

class RelaySet {
 public:
  /// `loop` outlives the set.
  explicit RelaySet(io::EventLoop& loop) : loop_(loop) {}
  ~RelaySet();
  RelaySet(const RelaySet&) = delete;
  RelaySet& operator=(const RelaySet&) = delete;

  /// Starts one. `on_end` is called in the loop, once, before the set forgets it.
  void add(std::unique_ptr<StreamEnd> first, std::unique_ptr<StreamEnd> second, Relay::EndHandler on_end);
  size_t size() const { return relays_.size(); }

 private:
  void forget(const Relay* relay);

  io::EventLoop& loop_;
  std::unordered_map<const Relay*, std::unique_ptr<Relay>> relays_;
  std::vector<std::unique_ptr<Relay>> ended_;  // until no call of theirs can be running
  io::EventLoop::TimerId sweep_ = 0;
};

}  // namespace braid::relay
