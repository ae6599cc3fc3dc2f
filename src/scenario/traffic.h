// A workload's connection in the simulator: a player at each end, on Braid's engine.
#pragma once

#include <string>
#include <vector>

#include "scenario/player.h"
#include "scenario/scenario.h"
#include "sim/host_node.h"

namespace braid::scenario {

class Traffic : public sim::Actor {
 public:
  struct Ends {
    sim::HostNode* client;
    sim::HostNode* server;
    wire::Endpoint address;  // the server's: one port a connection
  };
  Traffic(const WorkloadSpec& spec, const Ends& ends, uint64_t seed);

  void listen();
  void on_due(Time now) override;

  // ---- getters
  const WorkloadSpec& spec() const { return spec_; }
  /// Nothing more will come of it: all delivered, or failed.
  bool is_over() const { return is_over_; }
  bool is_intact() const { return client_.player.is_intact() && server_.player.is_intact(); }
  bool has_failed() const { return !failure_.empty(); }
  /// Which end saw what: "client: connection reset". Empty: none did.
  const std::string& failure() const { return failure_; }
  /// Octets that arrived at the application, both directions.
  uint64_t delivered_bytes() const {
    return client_.player.received_bytes() + server_.player.received_bytes();
  }
  Time last_byte() const { return std::max(client_.player.last_byte(), server_.player.last_byte()); }
  /// Of the end to which the workload's data go.
  Duration longest_gap() const;
  /// Seconds: of blocks from their making to their last octet, of requests from asking to the whole answer.
  const std::vector<double>& delays() const;
  const mptcp::Connection* client_connection() const { return client_.connection(); }
  const mptcp::Connection* server_connection() const { return server_.connection(); }
  mptcp::ConnectionInfo info(bool of_server) const;

 private:
  struct End final : sim::Application {
    End(Traffic& owner, sim::HostNode& host, Player::Role role, uint64_t seed)
        : traffic(owner), node(&host), player(owner.spec_, role, seed) {}
    void on_event(const host::Event& event, Time now) override { traffic.on_event(*this, event, now); }
    void on_restart(Time) override { traffic.on_lost("its host was restarted"); }
    mptcp::Connection* connection() const { return node->host().find(id); }

    Traffic& traffic;
    sim::HostNode* node;
    Player player;
    host::ConnectionId id = host::ConnectionId::kNone;
    mptcp::ConnectionInfo last;  // remembered when the workload ends
  };

  void on_event(End& end, const host::Event& event, Time now);
  void on_lost(std::string_view why);
  void on_over();
  void start(Time now);
  void pump(End& end, Time now);
  void reschedule();

  WorkloadSpec spec_;
  Ends ends_;
  End client_, server_;
  host::ListenerId listener_ = host::ListenerId::kNone;
  bool is_started_ = false, is_over_ = false;
  std::string failure_;
};

}  // namespace braid::scenario
