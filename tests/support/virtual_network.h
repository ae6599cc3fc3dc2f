// Hosts on a virtual clock, their interfaces joined by a perfect core: a packet goes up its interface's
// access link and down the access link of the interface that has the destination. Deterministic by its seed.
#pragma once

#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "host/host.h"
#include "support/link.h"

namespace braid::test {

class VirtualNetwork;

/// What runs on a host: is told of the events of the handles it was attached to.
class Application {
 public:
  virtual ~Application() = default;
  virtual void on_event(const host::Event& event, Time now) = 0;
  /// When it wants on_wake() next; kNever: it does not.
  virtual Time next_wake() const { return kNever; }
  virtual void on_wake(Time /*now*/) {}
};

/// A host with its interfaces' links.
class Node {
 public:
  Node(VirtualNetwork& network, std::string name, const host::HostConfig& config, uint64_t seed, Time now);

  /// An interface whose access link is `up` towards the core and `down` from it.
  host::InterfaceId add_interface(const host::InterfaceConfig& config, const LinkConfig& up = {},
                                  const LinkConfig& down = {});
  Link& up(host::InterfaceId interface) { return *links_.at(interface).up; }
  Link& down(host::InterfaceId interface) { return *links_.at(interface).down; }
  void cut(host::InterfaceId interface) { up(interface).cut(), down(interface).cut(); }
  void restore(host::InterfaceId interface) { up(interface).restore(), down(interface).restore(); }

  /// Events of the handle go to the application, which outlives the node's part in the run.
  void attach(host::ConnectionId id, Application& application) { by_connection_[id] = &application; }
  void attach(host::ListenerId id, Application& application) { by_listener_[id] = &application; }
  /// Events of handles that nobody was attached to, in order.
  std::vector<host::Event> unclaimed;

  VirtualNetwork& network() { return network_; }
  host::Host& host() { return host_; }
  const std::string& name() const { return name_; }

 private:
  friend class VirtualNetwork;
  struct AccessLink {
    std::unique_ptr<Link> up, down;
    uint32_t mtu = 0;
  };
  VirtualNetwork& network_;
  std::string name_;
  SeededRandom random_;
  host::Host host_;
  std::vector<AccessLink> links_;
  std::map<host::ConnectionId, Application*> by_connection_;
  std::map<host::ListenerId, Application*> by_listener_;
};

class VirtualNetwork {
 public:
  explicit VirtualNetwork(uint64_t seed);
  ~VirtualNetwork();

  Node& add_node(std::string name, const host::HostConfig& config = {});
  Time now() const { return now_; }
  ChunkPool& chunks() { return pool_; }

  /// Settles everything at this instant, then goes on to the next one where something happens. False: nothing
  /// ever will.
  bool step();
  /// Steps until nothing is left to happen, or `limit` of virtual time has gone by. True: nothing is left.
  bool drive(Duration limit = 600s);
  /// Steps until `done()`, at most `limit` of virtual time. Says whether it was.
  bool drive_until(const std::function<bool()>& done, Duration limit = 120s);
  /// Exactly so long.
  void run_for(Duration duration);
  /// Lets hosts and applications settle without time going on: after commands.
  void settle();

  /// Puts a packet on the core, as if somebody else had sent it.
  void inject(std::span<const std::byte> packet);

  /// A digest of every packet sent: time, sender, bytes.
  uint64_t packet_digest() const { return digest_; }
  uint64_t packets_sent() const { return packets_; }
  uint64_t steps() const { return steps_; }
  /// Sees each packet as it is handed to its access link; false drops it.
  using Tap =
      std::function<bool(Node& from, host::InterfaceId interface, const wire::ReceivedPacket& packet)>;
  void set_tap(Tap tap) { tap_ = std::move(tap); }
  /// From now on every packet sent is also written there (pcap, raw IP).
  void capture(const std::string& path);

 private:
  friend class Node;
  struct Destination {
    Node* node = nullptr;
    host::InterfaceId interface = 0;
  };
  /// A packet on its way; `to.node` null: it is at the core next.
  struct Flight {
    Time at;
    uint64_t order = 0;
    Destination to;
    const Link* link = nullptr;
    wire::ReceivedPacket packet;
    bool operator<(const Flight& other) const {
      return at != other.at ? at > other.at : order > other.order;  // the earliest is the heap's top
    }
  };
  struct Sink;

  void on_sent(Node& from, host::InterfaceId interface, const wire::OutgoingPacket& packet);
  void put_on_link(Link& link, wire::ReceivedPacket packet, uint32_t mtu, Destination to);
  void route(wire::ReceivedPacket packet);
  void take_off(Flight flight, Time at);
  void land(Flight flight);
  void dispatch_events(Node& node);
  void settle_node(Node& node);
  Time next_time() const;
  void move_to(Time time);

  ChunkPool pool_;  // outlives hosts and flights
  uint64_t seed_;
  Time now_{};
  std::map<wire::IpAddress, Destination> addresses_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<Flight> flights_;  // a heap
  uint64_t next_order_ = 0, digest_ = 0, packets_ = 0, steps_ = 0;
  Tap tap_;
  std::FILE* capture_ = nullptr;
};

}  // namespace braid::test
