#include "sim/network.h"

#include <algorithm>

namespace braid::sim {

Network::Network(uint64_t seed) : seed_(seed) {}

Network::~Network() = default;

uint64_t Network::seed_for(std::string_view name) const {
  uint64_t hash = seed_ ^ 0xcbf29ce484222325;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return (hash ^ (hash >> 29)) * 0xbf58476d1ce4e5b9;
}

HostNode& Network::add_host(std::string name, const host::HostConfig& config) {
  const uint64_t seed = seed_for("host " + name);
  hosts_.push_back(std::make_unique<HostNode>(std::move(name), config, events_, pool_, seed));
  return *hosts_.back();
}

Router& Network::add_router(std::string name) {
  const uint64_t seed = seed_for("router " + name);
  routers_.push_back(std::make_unique<Router>(std::move(name), pool_, seed));
  return *routers_.back();
}

Link& Network::add_link(std::string name) {
  const uint64_t seed = seed_for("link " + name);
  links_.push_back(std::make_unique<Link>(std::move(name), events_, pool_, seed));
  return *links_.back();
}

EdgePort& Network::add_edge() {
  edges_.push_back(std::make_unique<EdgePort>());
  return *edges_.back();
}

void Network::settle() {
  for (const auto& host : hosts_) host->settle(now_);
}

void Network::advance(Time now) {
  while (events_.next() <= now) {
    now_ = std::max(now_, events_.next());
    events_.run_first();
  }
  now_ = std::max(now_, now);
}

bool Network::run_until(const std::function<bool()>& is_done, Duration limit) {
  const Time end = now_ + limit;
  while (!is_done()) {
    if (events_.next() > end) {
      now_ = end;
      return is_done();
    }
    now_ = std::max(now_, events_.next());
    events_.run_first();
  }
  return true;
}

uint64_t Network::packet_hops() const {
  uint64_t hops = 0;
  for (const auto& link : links_) {
    for (const Direction direction : {Direction::kForward, Direction::kBackward}) {
      hops += link->channel(direction).totals(now_).delivered_packets;
    }
  }
  return hops;
}

}  // namespace braid::sim
