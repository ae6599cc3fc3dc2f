// A host of the simulation: Braid's engine with its interfaces on links, and the applications above it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.h"
#include "host/host.h"
#include "sim/event_queue.h"
#include "sim/link.h"
#include "sim/packet.h"

namespace braid::sim {

/// What runs on a host: is told of the events of the handles that it was attached to. It outlives its
/// attachment.
class Application {
 public:
  virtual ~Application() = default;
  virtual void on_event(const host::Event& event, Time now) = 0;
  /// The host was restarted: its handles are gone, and it is attached to nothing.
  virtual void on_restart(Time /*now*/) {}
};

class HostNode final : public Actor {
 public:
  /// `events` and `pool` outlive it.
  HostNode(std::string name, const host::HostConfig& config, EventQueue& events, ChunkPool& pool,
           uint64_t seed);
  ~HostNode() override;

  // ---- commands
  /// An interface at the link's end where `direction` begins; the link's MTU of that direction is its own.
  /// Packets that come to `port(id)` are the host's.
  host::InterfaceId add_interface(host::InterfaceConfig config, Link& link, Direction direction);
  Port& port(host::InterfaceId interface);
  void attach(host::ConnectionId id, Application& application) { by_connection_[id] = &application; }
  void attach(host::ListenerId id, Application& application) { by_listener_[id] = &application; }
  void detach(host::ConnectionId id) { by_connection_.erase(id); }
  /// As host::Host has it, and past restarts.
  void set_decision_log(mptcp::DecisionLog* log);
  /// As after a power cut: all state is gone, nobody is told.
  void restart(Time now);
  /// After commands to the host or a connection: sends what is due and dispatches events.
  void settle(Time now);
  /// For applications that want to be called at a time.
  void schedule(Actor& actor, Time at) { events_.schedule(actor, at); }

  // ---- handle_*
  void on_due(Time now) override;

  // ---- getters
  host::Host& host() { return *host_; }
  const host::Host& host() const { return *host_; }
  const std::string& name() const { return name_; }
  const std::vector<host::InterfaceConfig>& interfaces() const { return configs_; }

 private:
  class Interface;
  class Sink;
  void dispatch_events(Time now);
  void reschedule();

  std::string name_;
  EventQueue& events_;
  ChunkPool& pool_;
  SeededRandom random_;
  host::HostConfig config_;
  std::unique_ptr<host::Host> host_;
  std::vector<host::InterfaceConfig> configs_;
  std::vector<std::unique_ptr<Interface>> interfaces_;
  std::map<host::ConnectionId, Application*> by_connection_;
  std::map<host::ListenerId, Application*> by_listener_;
  mptcp::DecisionLog* decision_log_ = nullptr;
  bool is_settling_ = false;
};

}  // namespace braid::sim
