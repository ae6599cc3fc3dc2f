// For tests: a client and a server connection over a TestNetwork, with applications that send a pattern and
// check what they receive, octet for octet. The clock is virtual; a seed decides everything.
#pragma once

#include <array>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mptcp/connection.h"
#include "mptcp/testing/test_environment.h"
#include "mptcp/testing/test_network.h"

namespace braid::mptcp::testing {

/// Path i lies between 10.0.i.1, the client's, and 10.0.i.2, the server's... of the documentation networks.
inline wire::IpAddress client_address(size_t path) {
  constexpr std::array<uint32_t, 3> kNetworks = {0xC0000200, 0xC6336400, 0xCB007100};
  return wire::IpAddress::v4(kNetworks.at(path) + 1);
}
inline wire::IpAddress server_address(size_t path) {
  constexpr std::array<uint32_t, 3> kNetworks = {0xC0000200, 0xC6336400, 0xCB007100};
  return wire::IpAddress::v4(kNetworks.at(path) + 2);
}
inline constexpr uint16_t kServerPort = 80;

/// What one side sends: octet i of its stream.
inline std::byte pattern(uint64_t offset, uint64_t seed) {
  uint64_t x = offset / 8 * 0x9E3779B97F4A7C15u + seed;
  x ^= x >> 29;
  x *= 0xBF58476D1CE4E5B9u;
  return static_cast<std::byte>(x >> (8 * (offset % 8)));
}

/// True while a connection's own code runs: for a test that counts its allocations.
inline bool is_engine_running = false;
class EngineScope {
 public:
  explicit EngineScope(bool is_engine = true) : before_(std::exchange(is_engine_running, is_engine)) {}
  ~EngineScope() { is_engine_running = before_; }
  EngineScope(const EngineScope&) = delete;
  EngineScope& operator=(const EngineScope&) = delete;

 private:
  bool before_;
};

/// One end: its environment, its connection and its application.
class Side {
 public:
  Side(uint64_t seed, std::vector<wire::IpAddress> addresses)
      : environment(seed, std::move(addresses)), seed_(seed) {}

  TestEnvironment environment;
  std::unique_ptr<Connection> connection;
  ConnectionConfig config;

  // ---- the application
  uint64_t to_send = 0;          // octets in all
  bool shut_down_after = false;  // DATA_FIN when all is sent
  bool is_reading = true;
  uint64_t sent = 0, received = 0;
  bool has_wrong_bytes = false;
  uint64_t expected_seed = 0;
  size_t write_size = 32'768;

  bool is_end_of_stream() const { return connection != nullptr && connection->is_end_of_stream(); }
  uint64_t counter(Counter which) { return environment.counters()[which]; }
  bool saw(ConnectionEvent event) const { return environment.count(event) > 0; }

  void run_application(Time now) {
    if (connection == nullptr) return;
    while (sent < to_send && connection->has_begun()) {
      buffer_.resize(std::min<uint64_t>(write_size, to_send - sent));
      for (size_t i = 0; i < buffer_.size(); ++i) buffer_[i] = pattern(sent + i, seed_);
      const EngineScope engine;
      const size_t taken = connection->send(buffer_, now);
      sent += taken;
      if (taken < buffer_.size()) break;
    }
    if (shut_down_after && sent == to_send && connection->can_send() && connection->has_begun())
      connection->shut_down_send(now);
    if (is_reading) read(now);
  }
  /// Reads at most `limit` octets and checks them.
  uint64_t read(Time now, uint64_t limit = UINT64_MAX) {
    if (connection == nullptr) return 0;
    uint64_t done = 0;
    buffer_.resize(65'536);
    while (done < limit) {
      const EngineScope engine;
      const size_t n = connection->receive(
          std::span(buffer_).first(std::min<uint64_t>(buffer_.size(), limit - done)), now);
      if (n == 0) break;
      for (size_t i = 0; i < n; ++i)
        has_wrong_bytes = has_wrong_bytes || buffer_[i] != pattern(received + i, expected_seed);
      received += n;
      done += n;
    }
    return done;
  }

 private:
  uint64_t seed_;
  std::vector<std::byte> buffer_;
};

class Pair {
 public:
  explicit Pair(uint64_t seed, std::vector<PathOptions> path_options = {PathOptions{}})
      : network(seed, path_options),
        client(2 * seed + 1, addresses(path_options.size(), client_address)),
        server(2 * seed + 2, addresses(path_options.size(), server_address)) {
    client.expected_seed = 2 * seed + 2;
    server.expected_seed = 2 * seed + 1;
    client.environment.paths.limits =
        server.environment.paths.limits = {.subflows = 8, .add_addr_accepted = 8};
    client.environment.mtu = server.environment.mtu = path_options[0].mtu;
    // The same scenarios for the other version (RFC 6824).
    if (const char* version = std::getenv("BRAID_TEST_VERSION"); version != nullptr && *version == '0')
      client.config.highest_version = server.config.highest_version = Version::kV0;
  }

  Time now{1000s};
  TestNetwork network;
  Side client, server;
  bool is_listening = true;
  std::vector<wire::ResetReason> refused_joins;

  void connect() {
    const wire::FourTuple tuple{{client_address(0), 33'000}, {server_address(0), kServerPort}};
    client.connection = Connection::connect(client.config, client.environment, tuple, now);
    settle();
  }
  /// Endpoints on the client, so that it joins from every path's address.
  void add_client_endpoints() {
    for (size_t i = 1; i < network.paths.size(); ++i)
      client.environment.paths.endpoints.push_back(
          {.id = static_cast<uint8_t>(i), .address = client_address(i), .interface = {}, .is_subflow = true});
  }
  void cut(size_t path) { network.paths[path].is_cut = true; }
  void heal(size_t path) { network.paths[path].is_cut = false; }

  /// Runs until `done` holds (true) or `limit` has passed.
  bool run_until(const std::function<bool()>& done, Duration limit = 120s) {
    const Time end = now + limit;
    settle();
    while (!done()) {
      if (!step(end)) return false;
    }
    return true;
  }
  void run_for(Duration time) {
    const Time end = now + time;
    settle();
    while (step(end)) {
    }
    now = end;
  }
  /// What a test did by hand gets out.
  void settle() {
    for (int round = 0; round < 3; ++round) {
      service(client, Direction::kToServer);
      service(server, Direction::kToClient);
    }
  }
  size_t subflows(const Side& side) const {
    return side.connection == nullptr ? 0 : side.connection->info().subflows.size();
  }
  const Connection& of(const Side& side) const { return *side.connection; }
  bool is_multipath() const {
    return client.connection->multipath_state() == MultipathState::kEstablished &&
           server.connection != nullptr &&
           server.connection->multipath_state() == MultipathState::kEstablished;
  }
  /// A segment from the outside world, as if `direction`'s sender had sent it.
  void inject(size_t path, Direction direction, const wire::OutgoingSegment& segment) {
    network.inject(path, direction, segment, now);
  }

 private:
  static std::vector<wire::IpAddress> addresses(size_t count, wire::IpAddress (*make)(size_t)) {
    std::vector<wire::IpAddress> made;
    for (size_t i = 0; i < count; ++i) made.push_back(make(i));
    return made;
  }

  /// A path is known by the client's address.
  static size_t path_of(const wire::FourTuple& tuple, Direction direction) {
    const wire::IpAddress& client =
        direction == Direction::kToServer ? tuple.local.address : tuple.remote.address;
    for (size_t i = 0; i < 3; ++i) {
      if (client == client_address(i)) return i;
    }
    return 0;
  }

  struct Sink final : tcp::SegmentSink {
    Sink(Pair& owner, Direction way) : pair(owner), direction(way) {}
    void send(wire::OutgoingSegment& segment) override {
      const EngineScope network(false);
      pair.network.send(path_of(segment.tuple, direction), direction, segment, pair.now);
    }
    Pair& pair;
    Direction direction;
  };

  bool step(Time end) {
    Time next = network.next_arrival();
    for (Side* side : {&client, &server}) {
      if (side->connection != nullptr) next = earlier(next, side->connection->next_deadline());
    }
    if (next > end) return false;
    BRAID_CHECK(next >= now || ++late_ < 1'000'000);  // a deadline that is never served
    if (next > now) {
      now = next;
      steps_at_once_ = 0;
    }
    BRAID_CHECK(++steps_at_once_ < 200'000);
    const bool was_packet =
        network.deliver_one(now, [&](Direction direction, const wire::ReceivedPacket& packet) {
          receive(direction == Direction::kToServer ? server : client, direction, packet);
        });
    if (!was_packet) {
      for (Side* side : {&client, &server}) {
        if (side->connection == nullptr || side->connection->next_deadline() > now) continue;
        const EngineScope engine;
        side->connection->advance(now);
      }
    }
    service(client, Direction::kToServer);
    service(server, Direction::kToClient);
    return true;
  }

  void service(Side& side, Direction direction) {
    if (side.connection == nullptr) return;
    side.run_application(now);
    Sink sink(*this, direction);
    const EngineScope engine;
    side.connection->poll_transmit(sink, now);
    (void)side.connection->next_deadline();
  }

  void receive(Side& side, Direction direction, const wire::ReceivedPacket& packet) {
    const wire::ParsedPacket parsed = wire::parse_packet(packet);
    const auto* segment = std::get_if<wire::TcpSegment>(&parsed);
    BRAID_CHECK(segment != nullptr);
    TestEnvironment& environment = side.environment;
    if (const auto found = environment.members.find(segment->tuple); found != environment.members.end()) {
      const EngineScope engine;
      found->second.connection->on_segment_for(*found->second.subflow, *segment, now);
      return;
    }
    const bool is_open = segment->flags.syn && !segment->flags.ack && !segment->flags.rst;
    if (is_open) {
      if (const auto* join = wire::find<wire::MpJoinSyn>(segment->options.mptcp)) {
        const auto token = environment.tokens.find(join->receiver_token);
        wire::ResetReason reason = wire::ResetReason::kUnspecified;
        if (token != environment.tokens.end() && token->second->on_join(*segment, *join, reason, now)) return;
        refused_joins.push_back(reason);
      } else if (&side == &server && is_listening && server.connection == nullptr) {
        server.connection = Connection::accept(server.config, environment, *segment, now);
        return;
      }
    }
    for (const tcp::TimeWaitRecord& record : environment.time_waits) {
      if (record.tuple == segment->tuple) return answer_in_time_wait(record, *segment, direction);
    }
    if (auto reset = tcp::reset_for(*segment)) {
      const Direction back = direction == Direction::kToServer ? Direction::kToClient : Direction::kToServer;
      network.send(path_of(reset->tuple, back), back, *reset, now);
    }
  }

  /// As a host does for a subflow that is gone: a repeated FIN is acknowledged.
  void answer_in_time_wait(const tcp::TimeWaitRecord& record, const wire::TcpSegment& segment,
                           Direction direction) {
    if (segment.flags.rst || segment.sequence_length() == 0) return;
    wire::OutgoingSegment ack;
    ack.tuple = record.tuple;
    ack.seq = record.snd_nxt;
    ack.ack = record.rcv_nxt;
    ack.flags.ack = true;
    if (record.last_timestamp)
      ack.options.timestamps = wire::Timestamps{record.our_timestamp, *record.last_timestamp};
    const Direction back = direction == Direction::kToServer ? Direction::kToClient : Direction::kToServer;
    network.send(path_of(ack.tuple, back), back, ack, now);
  }

  uint64_t steps_at_once_ = 0, late_ = 0;
};

/// Both sides send, and close when all is sent and received.
inline bool exchange(Pair& pair, uint64_t client_bytes, uint64_t server_bytes, Duration limit = 300s) {
  pair.client.to_send = client_bytes;
  pair.server.to_send = server_bytes;
  pair.client.shut_down_after = pair.server.shut_down_after = true;
  if (pair.client.connection == nullptr) pair.connect();
  return pair.run_until(
      [&] {
        return pair.client.is_end_of_stream() && pair.server.is_end_of_stream() &&
               pair.client.connection->is_finished() && pair.server.connection->is_finished();
      },
      limit);
}

}  // namespace braid::mptcp::testing
