// Everything of one simulation: the clock, the packets, hosts, routers and links. The same objects run in
// real time when somebody else says what time it is: advance() and next_deadline().
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sim/event_queue.h"
#include "sim/host_node.h"
#include "sim/link.h"
#include "sim/router.h"

namespace braid::sim {

/// The edge to the world outside: what comes to it is handed to callbacks.
class EdgePort final : public Port {
 public:
  std::function<void(const Packet& packet, Time now)> on_packet;
  std::function<void(bool is_up)> on_carrier_change;

  void receive(Packet packet, Time now) override {
    if (on_packet) on_packet(packet, now);
  }
  void on_carrier(bool is_up, Time /*now*/) override {
    if (on_carrier_change) on_carrier_change(is_up);
  }
};

class Network {
 public:
  explicit Network(uint64_t seed);
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  // ---- commands
  HostNode& add_host(std::string name, const host::HostConfig& config);
  Router& add_router(std::string name);
  /// Unconnected; LinkConfig of both directions are defaults.
  Link& add_link(std::string name);
  EdgePort& add_edge();
  /// Lets hosts send what commands left to be sent.
  void settle();
  /// Everything that is due until then happens, and time is then `now`.
  void advance(Time now);
  void run_for(Duration duration) { advance(now_ + duration); }
  /// Until `is_done()`, `limit` of time at most, or nothing is left to happen. Says whether it was done.
  bool run_until(const std::function<bool()>& is_done, Duration limit);

  // ---- getters
  Time now() const { return now_; }
  Time next_deadline() const { return events_.next(); }
  EventQueue& events() { return events_; }
  ChunkPool& pool() { return pool_; }
  const std::vector<std::unique_ptr<HostNode>>& hosts() const { return hosts_; }
  const std::vector<std::unique_ptr<Router>>& routers() const { return routers_; }
  const std::vector<std::unique_ptr<Link>>& links() const { return links_; }
  /// Packets that came to the far end of a link, all links together.
  uint64_t packet_hops() const;
  /// A seed for a part of this name: the same whatever other parts there are.
  uint64_t seed_for(std::string_view name) const;

 private:
  uint64_t seed_;
  ChunkPool pool_;  // outlives all that holds packets
  EventQueue events_;
  Time now_{};
  std::vector<std::unique_ptr<EdgePort>> edges_;
  std::vector<std::unique_ptr<Router>> routers_;
  std::vector<std::unique_ptr<HostNode>> hosts_;
  std::vector<std::unique_ptr<Link>> links_;
};

}  // namespace braid::sim
