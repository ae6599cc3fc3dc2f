// What the applications of a scenario do: one object a connection, both of its ends. All bytes are a pattern,
// checked where they arrive.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "base/random.h"
#include "scenario/scenario.h"
#include "sim/host_node.h"
#include "sim/pattern.h"

namespace braid::scenario {

double draw(const Distribution& distribution, RandomSource& random);

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
  bool is_endless() const;
  bool is_intact() const { return client_.is_intact && server_.is_intact; }
  bool has_failed() const { return !failure_.empty(); }
  /// Which end saw what: "client: connection reset". Empty: none did.
  const std::string& failure() const { return failure_; }
  /// Octets that arrived at the application, both directions.
  uint64_t delivered_bytes() const { return client_.received + server_.received; }
  Time first_byte() const { return first_byte_; }
  Time last_byte() const { return last_byte_; }
  Duration longest_gap() const { return longest_gap_; }
  /// Seconds: of blocks from their making to their last octet, of requests from asking to the whole answer.
  const std::vector<double>& delays() const { return delays_; }
  const mptcp::Connection* client_connection() const { return client_.node->host().find(client_.id); }
  const mptcp::Connection* server_connection() const { return server_.node->host().find(server_.id); }
  mptcp::ConnectionInfo info(bool of_server) const;

 private:
  /// One end of the connection as an application.
  struct End final : sim::Application {
    End(Traffic& owner, sim::HostNode& host, uint64_t send_seed, uint64_t receive_seed)
        : traffic(owner), node(&host), outgoing(send_seed), incoming(receive_seed) {}
    void on_event(const host::Event& event, Time now) override { traffic.on_event(*this, event, now); }
    void on_restart(Time) override { traffic.on_lost("its host was restarted"); }
    mptcp::Connection* connection() { return node->host().find(id); }

    Traffic& traffic;
    sim::HostNode* node;
    host::ConnectionId id = host::ConnectionId::kNone;
    sim::Pattern outgoing, incoming;
    uint64_t allowed = 0;  // octets made so far, to be sent
    uint64_t sent = 0, received = 0;
    bool is_intact = true, is_ended = false;  // its own sending side
    mptcp::ConnectionInfo last;               // remembered when the connection goes
  };
  struct Mark {
    uint64_t end;  // of the stream
    Time made;
  };

  void on_event(End& end, const host::Event& event, Time now);
  void on_lost(std::string_view why);
  void start(Time now);
  void make_more(Time now);
  void write(End& end, Time now);
  void read(End& end, Time now);
  void on_received(End& end, Time now);
  void answer(Time now);
  void ask(Time now);
  void finish(Time now);
  void pump(Time now);
  void wake_at(Time at);

  WorkloadSpec spec_;
  Ends ends_;
  SeededRandom random_;
  End client_, server_;
  host::ListenerId listener_ = host::ListenerId::kNone;
  std::vector<std::byte> buffer_;
  std::deque<Mark> marks_;  // blocks under way
  uint64_t requests_made_ = 0;
  uint64_t request_end_ = 0, response_end_ = 0;  // stream positions of the one under way
  Time asked_at_{};
  bool is_asking_ = false, is_answered_ = true;
  Time phase_end_{};  // kOnOff
  bool is_on_ = false;
  bool is_started_ = false, is_over_ = false, is_established_ = false;
  std::string failure_;
  Time first_byte_ = kNever, last_byte_{};
  Duration longest_gap_{0};
  std::vector<double> delays_;
};

}  // namespace braid::scenario
