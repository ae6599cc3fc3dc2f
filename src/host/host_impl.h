// The inside of Host, and the environment of its connections. Split by topic: host.cc (interfaces, paths,
// getters), applications.cc (listen, accept, connect, close), receive.cc, cookies.cc, transmit.cc.
#pragma once

#include <optional>
#include <vector>

#include "base/ring.h"
#include "base/timer_wheel.h"
#include "host/connection_record.h"
#include "host/demux_table.h"
#include "host/fast_open_cookies.h"
#include "host/host.h"
#include "host/listener_table.h"
#include "host/network.h"
#include "host/port_allocator.h"
#include "host/rate_limit.h"
#include "host/reply.h"
#include "host/sequence_source.h"
#include "host/slot_table.h"
#include "host/syn_cookies.h"
#include "host/time_wait_table.h"
#include "host/token_table.h"
#include "mptcp/environment.h"

namespace braid::host {

/// RFC 7413, 5.1: how long a connection that was reset in its handshake counts as pending.
inline constexpr Duration kFastOpenResetMemory = 60s;

struct Host::Impl final : mptcp::Environment {
  Impl(const HostConfig& host_config, RandomSource& random_source, Time now);
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // ---- the network below
  void set_interface_up(InterfaceId interface, bool is_up, Time now);
  void remove_address(InterfaceId interface, const wire::IpAddress& address, Time now);
  void revive_endpoints_of(InterfaceId interface, Time now);
  bool has_path_beside(const mptcp::Connection& connection, InterfaceId interface) const;

  // ---- paths
  tl::expected<uint8_t, Error> add_endpoint(mptcp::PathEndpoint endpoint, Time now);
  Error remove_endpoint(uint8_t id, Time now);
  Error change_endpoint(uint8_t id, bool is_backup, bool is_fullmesh, Time now);

  // ---- applications
  tl::expected<ListenerId, Error> listen(const wire::Endpoint& local, const ListenOptions& options);
  Error close(ListenerId id, Time now);
  ConnectionId accept(ListenerId id);
  tl::expected<ConnectionId, Error> connect(const wire::Endpoint& remote, const ConnectOptions& options,
                                            Time now);
  Error choose_local(const wire::Endpoint& remote, const ConnectOptions& options, wire::Endpoint& local);
  bool is_port_free(const wire::Endpoint& local, const wire::Endpoint& remote) const;
  ConnectionRecord* find_open(ConnectionId id) const;
  Error release(ConnectionId id, void (mptcp::Connection::*how)(Time), Time now);

  // ---- receive
  void receive(InterfaceId interface, const wire::ReceivedPacket& packet, Time now);
  void on_segment(const wire::TcpSegment& segment);
  void on_icmp(const wire::IcmpError& error);
  void on_stray(const wire::TcpSegment& segment);
  void on_join_syn(const wire::TcpSegment& segment, const wire::MpJoinSyn& join);
  void on_syn(const wire::TcpSegment& segment);
  mptcp::Connection* accept_from(Listener& listener, const wire::TcpSegment& syn, mptcp::SynOrigin origin);
  mptcp::FastOpenAnswer answer_fast_open(Listener& listener, const wire::TcpSegment& syn);
  void end_fast_open(ConnectionRecord& record, bool was_reset);
  void answer_with_cookie(const wire::TcpSegment& syn, const Listener& listener);
  bool admit_by_cookie(const wire::TcpSegment& segment);
  void reset(const wire::TcpSegment& segment, std::optional<wire::ResetReason> reason);
  void count(wire::ParseError error);

  // ---- transmit
  void transmit(HostSink& sink, Time now);
  void poll(mptcp::Connection& connection, HostSink& sink);
  void send(const wire::OutgoingSegment& segment, HostSink& sink);
  void advance(Time now);
  Time next_deadline() const;

  // ---- connections and their events
  ConnectionRecord& new_record(ConnectionRecord::Owner owner, ListenerId listener);
  void adopt(ConnectionRecord& record, std::unique_ptr<mptcp::Connection> connection);
  void destroy(ConnectionRecord& record);
  static ConnectionRecord& record_of(const mptcp::Connection& connection) {
    return *static_cast<ConnectionRecord*>(connection.host_context);
  }
  void mark_dirty(mptcp::Connection& connection);
  void queue_event(ConnectionRecord& record);
  void move_to_accept_queue(ConnectionRecord& record);
  std::optional<Event> poll_event();
  void collect_totals(const tcp::Subflow& subflow, mptcp::Counters& into) const;
  void count_end(const tcp::Subflow& subflow);
  const mptcp::Counters& all_counters() const;
  template <class Visit>
  void for_each_connection(Visit&& visit) const {
    records.for_each([&](const ConnectionRecord& record) {
      if (record.connection != nullptr) visit(*record.connection);
    });
  }

  // ---- mptcp::Environment
  RandomSource& random() override { return random_bits; }
  ChunkPool& chunks() override { return chunk_pool; }
  mptcp::Counters& counters() override { return base_counters; }
  const mptcp::PathConfig& path_config() const override { return paths; }
  mptcp::KeyMaterial register_key(mptcp::Connection& connection, mptcp::Version version) override;
  void release_token(mptcp::Token token) override { tokens.release(token); }
  bool bind_subflow(mptcp::Connection& connection, tcp::Subflow& subflow) override;
  void unbind_subflow(tcp::Subflow& subflow) override;
  void keep_time_wait(const tcp::TimeWaitRecord& record) override;
  Seq32 initial_sequence(const wire::FourTuple& tuple, Time now) override;
  uint32_t timestamp_offset(const wire::FourTuple& tuple) override;
  uint16_t allocate_port(const wire::IpAddress& local, const wire::Endpoint& remote) override;
  uint32_t mtu_of(const wire::IpAddress& local) const override;
  std::string_view interface_of(const wire::IpAddress& local) const override;
  bool has_route(const wire::IpAddress& local, const wire::IpAddress& remote) const override;
  wire::IpAddress source_for(const wire::IpAddress& remote) const override;
  void wake(mptcp::Connection& connection) override;
  mptcp::PeerMemory* peer_memory() override { return &memory; }
  mptcp::FastOpenMemory* fast_open_memory() override { return &fast_open_servers; }
  mptcp::DecisionLog* decision_log() override { return decisions; }
  void on_event(mptcp::Connection& connection, mptcp::ConnectionEvent event) override;

  struct PendingEvent {
    ConnectionId connection = ConnectionId::kNone;
    ListenerId listener = ListenerId::kNone;
  };

  HostConfig config;
  RandomSource& random_bits;
  ChunkPool chunk_pool;  // outlives whatever holds its chunks: what stands below
  mptcp::Counters base_counters;
  mutable mptcp::Counters shown_counters;
  mptcp::DecisionLog* decisions = nullptr;
  mptcp::PathConfig paths;
  mptcp::PeerMemory memory;
  mptcp::FastOpenMemory fast_open_servers;
  Network network;
  DemuxTable demux;
  TokenTable tokens;
  TimeWaitTable time_wait;
  SequenceSource sequences;
  SynCookies cookies;
  FastOpenCookies fast_open_cookies;
  struct Restoring {
    wire::FourTuple tuple;
    Seq32 cookie;
  };
  std::optional<Restoring> restoring;  // a connection from a cookie is under construction
  PortAllocator ports;
  ListenerTable listeners;
  TimerWheel timers;
  Ring<mptcp::Connection*> dirty;  // to be polled; Connection::is_dirty says that it is here
  Ring<PendingEvent> events;
  ReplyQueue replies;
  RateLimit resets{20'000, 2'000};
  SlotTable<ConnectionRecord, ConnectionId> records;
  ConnectionRecord* creating = nullptr;  // the record of a connection whose constructor runs
  Time now_;                             // the latest time that a caller told
  wire::OutgoingPacket packet_;          // scratch
};

}  // namespace braid::host
