// One Multipath TCP connection: the data sequence space above its subflows. Plain TCP is a connection too:
// one subflow, infinite mapping; fallback is a state, not another class.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "base/chunk.h"
#include "base/sequence.h"
#include "base/time.h"
#include "base/timer_wheel.h"
#include "mptcp/environment.h"
#include "mptcp/keys.h"
#include "mptcp/path_error.h"
#include "mptcp/scheduler/scheduler.h"
#include "tcp/subflow.h"
#include "tcp/upper.h"

namespace braid::mptcp {

/// How MPTCP stands in this connection.
enum class MultipathState : uint8_t {
  kNegotiating,  // MP_CAPABLE sent or received, not confirmed
  kConfirmed,    // both keys known; not "fully established" before the first DATA_ACK or ADD_ADDR
  kEstablished,  // fully established (RFC 8684, 3.1): joins may be made
  kFallback,     // plain TCP, for good: fallback_reason() says why
};

/// Why a connection is plain TCP. kNone: it is not.
enum class FallbackReason : uint8_t {
  kNone,
  kDisabled,        // configured off
  kPeerNotCapable,  // no MP_CAPABLE in SYN/ACK, or SYN without it
  kVersionMismatch,
  kNoCommonHmac,        // flag H not set
  kExtensibility,       // flag B set
  kSynOptionDropped,    // SYNs with MP_CAPABLE unanswered; a plain one was sent
  kThirdAckStripped,    // server: first non-SYN segment had no MPTCP option
  kDataWithoutMapping,  // data came without DSS
  kChecksumFailed,      // single subflow: infinite mapping (RFC 8684, 3.7)
  kPeerSentMpFail,
  kPeerInfiniteMapping,
  kMd5Signature,
  kSimultaneousOpen,
  kDataAckMissing,          // our data were acknowledged without any MPTCP option, and no DATA_ACK followed
  kSynOptionDroppedBefore,  // earlier connections to that destination were kSynOptionDropped: not offered
};
std::string_view to_string(MultipathState state);
std::string_view to_string(FallbackReason reason);

/// Errors an application sees; each has the errno the kernel would give (host/errors.h maps them).
enum class ConnectionError : uint8_t {
  kNone,
  kRefused,
  kReset,
  kTimedOut,
  kUnreachable,
  kNetUnreachable,
  kAborted
};
std::string_view to_string(ConnectionError error);

/// How an abrupt end is told (RFC 8684, 3.5); version 0 only has the first.
enum class FastcloseForm : uint8_t {
  kAck,  // MP_FASTCLOSE on an ACK, repeated until the peer's RST comes, three times at most
  kRst,  // on the RSTs that end the subflows
};

/// Where a passive open's SYN is from.
enum class SynOrigin : uint8_t {
  kWire,    // it came in just now
  kCookie,  // it came earlier and was answered without keeping anything; restored from the segment after it
};

/// What the user wants of paths that begin at an interface, or at an address; the first rule that fits
/// counts.
struct PathRule {
  std::string interface {};  // empty: any
  wire::IpAddress network{};
  int prefix_bits = 0;  // 0: any address
  PathPolicy policy{};
  bool fits(std::string_view local_interface, const wire::IpAddress& local) const;
};

/// When a connection is worth further paths, so that short ones pay nothing for them: as soon as one of these
/// holds (Linux guidelines, B.1). Also when the only path is silent or gone.
struct OpenPaths {
  uint64_t after_bytes = 0;               // sent or received, or waiting to be sent; 0: at once
  Duration after_age{0};                  // however little was sent: for survival
  bool after_slow_start = true;           // the first path is full: its slow start is over
  std::vector<uint16_t> at_once_ports{};  // of the server: always at once

  /// What daemons and simulations begin with: what fits in an initial window (RFC 6928) is through before a
  /// join is up. Measured in docs/path-managers.md. The engine's own default is the kernel's, at once.
  static OpenPaths when_worth_it() { return {.after_bytes = 16'384, .after_age = 1s}; }
};

/// TCP Fast Open (RFC 7413): data on the SYN, where the server gave a cookie before. The network may repeat
/// such a SYN when the connection is over, and the server's application then sees its data again: so both
/// sides' applications have to want it.
struct FastOpenConfig {
  bool as_client = false;    // cookies are asked for, and data that are there go on the SYN
  bool as_server = false;    // cookies are given, and data that come with a good one are taken
  bool needs_cookie = true;  // false: data also go, and are taken, without: where addresses can't be forged
  bool waits_for_data = false;  // client, with a cookie: the SYN goes with the first send()
  uint32_t most_pending = 128;  // server: connections in SYN-RECEIVED whose SYN's data were taken, a listener
  size_t least_cookie_bytes = 6;  // server: a SYN/ACK without room for so many has none
};

/// What a listener says to the Fast Open option of a SYN.
struct FastOpenAnswer {
  tcp::SynText text = tcp::SynText::kIgnore;
  std::optional<wire::FastOpenCookie> cookie{};  // for the SYN/ACK; shortened where there is no room
};

struct ConnectionConfig {
  bool is_multipath = true;
  /// Versions of the protocol: the highest is offered, and as a server the highest that both know is taken.
  Version lowest_version = Version::kV0, highest_version = Version::kV1;
  FastcloseForm fastclose = FastcloseForm::kRst;
  bool require_checksum = false;
  bool deny_join_initial = false;  // flag C (RFC 8684, 3.1): joins only to addresses and ports we announced
  std::string scheduler = "lowest-rtt";
  SchedulerOptions scheduler_options{};
  std::vector<PathRule> paths;
  std::string congestion_control = "cubic";  // or a coupled one: "lia"
  std::string path_manager = "endpoints";
  /// DSCP values, 0..63, that networks route by: path_manager "label" has a path for each, the first subflow
  /// the first. A subflow that the peer opens with one of them is answered with the same.
  std::vector<uint8_t> labels{};
  OpenPaths open_paths;
  uint64_t send_buffer_bytes = 6u << 20;     // ceiling; grows to it with autotuning
  uint64_t receive_buffer_bytes = 6u << 20;  // ceiling; likewise
  uint64_t initial_send_buffer_bytes = 256u << 10;
  uint64_t initial_receive_buffer_bytes = 128u << 10;
  bool autotune = true;
  bool no_delay = false;                     // TCP_NODELAY
  uint32_t syn_attempts_with_multipath = 3;  // then a plain SYN
  uint8_t max_subflows = 8;
  /// The first SYN unanswered for so long: another goes from the next of the host's addresses, and who is
  /// answered first is the connection (after RFC 8305, 5: its "Connection Attempt Delay"). 0: never.
  Duration race_delay = 250ms;
  /// With several paths an idle one is asked so often whether it is alive; 0: never. One that stays silent is
  /// closed, and built again when it can be.
  Duration path_keepalive = 30s;
  Duration path_keepalive_interval = 2s;  // between questions that stay unanswered
  uint32_t path_keepalive_attempts = 3;
  Duration join_timeout = 10s;         // a join that is not up by then is given up
  Duration add_addr_interval = 200ms;  // repetition until echoed, doubling
  uint32_t add_addr_attempts = 7;
  Duration survive_without_subflows = 60s;  // break before make: the wait for a new subflow
  Duration dead_path_probe_max = 500ms;     // how often, at most, a silent path is probed while others live
  Duration linger = 60s;                    // after the application closed: how long without any progress
  /// NSDI 2012, 4.2: M1, a full window blocked by a slow subflow's data: those again on one with room; M2:
  /// and the slow one's congestion window is reduced, once per round trip.
  bool opportunistic_retransmission = true;
  bool penalise = true;
  /// M4: no more under way on a subflow than makes its round trip twice the least that was seen. A lossless
  /// but slow path's queue then stays short; against other traffic in that queue it gives way.
  bool cap_rtt = false;
  FastOpenConfig fast_open{};
  tcp::SubflowConfig subflow;
};

/// A snapshot of one subflow, for people: `braid ss`.
struct SubflowInfo {
  uint8_t index = 0, local_id = 0, remote_id = 0;
  wire::FourTuple tuple;
  tcp::State state = tcp::State::kClosed;
  bool is_initial = false, is_backup = false, is_stalled = false, is_fully_established = false;
  std::optional<uint8_t> label{};  // DSCP, if the path is told apart by it
  std::string congestion_control;
  Duration srtt{0}, rttvar{0}, min_rtt{0}, rto{0};
  uint64_t cwnd_bytes = 0, ssthresh_bytes = 0, in_flight_bytes = 0, send_window_bytes = 0;
  uint64_t data_sent_bytes = 0, data_received_bytes = 0;  // payload, data level, reinjections included
  uint64_t retransmitted_bytes = 0, retransmissions = 0, timeouts = 0;
  uint64_t reinjected_bytes = 0;  // given to it after another had them: reinjected or, by redundancy, copied
  uint32_t mss = 0;
  bool has_timestamps = false, has_sack = false;    // both sides have offered them
  uint8_t window_scale = 0, peer_window_scale = 0;  // shifts in effect
};
struct ConnectionInfo {
  Token local_token = 0, remote_token = 0;
  MultipathState multipath = MultipathState::kNegotiating;
  FallbackReason fallback = FallbackReason::kNone;
  Version version = Version::kV1;  // of the protocol; means nothing in fallback
  std::string fallback_packet;     // the segment that led to it, if one did; for people
  bool is_server = false, is_checksummed = false;
  bool had_further_paths = false;  // ever, whatever became of them
  uint32_t syn_data_bytes = 0;     // carried by the SYN and taken by the server (RFC 7413)
  std::string scheduler, congestion_control, path_manager;
  wire::Endpoint local, remote;                                  // as the application sees them
  std::string state;                                             // "ESTABLISHED" ...: data level
  uint64_t sent_bytes = 0, acked_bytes = 0, received_bytes = 0;  // data level, each octet once
  uint64_t written_bytes = 0;                                    // by the application, sent or not
  /// Payload octets that went out besides sent_bytes, on subflows that are gone too: what was given to a
  /// second subflow, and what subflows sent again by themselves.
  uint64_t reinjected_bytes = 0, retransmitted_bytes = 0;
  uint64_t send_queue_bytes = 0, receive_queue_bytes = 0, out_of_order_bytes = 0;
  uint64_t send_buffer_bytes = 0, receive_buffer_bytes = 0;
  Time opened;
  std::vector<SubflowInfo> subflows;
};

/// How to use it, in order, after any handle_ or command (the host does): poll_transmit(), then
/// next_deadline().
class Connection final : public tcp::Upper, public PathActions {
 public:
  /// Active open: the SYN goes with the next poll_transmit. local.port is already chosen.
  static std::unique_ptr<Connection> connect(const ConnectionConfig& config, Environment& environment,
                                             const wire::FourTuple& tuple, Time now);
  /// Passive open from the SYN that came in to a listener. Not an MP_JOIN.
  static std::unique_ptr<Connection> accept(const ConnectionConfig& config, Environment& environment,
                                            const wire::TcpSegment& syn, Time now,
                                            SynOrigin origin = SynOrigin::kWire,
                                            const FastOpenAnswer& fast_open = {});
  ~Connection() override;

  // ---- commands (the application's)
  /// Takes up to room octets; returns how many. 0 when full, closed for sending or failed.
  size_t send(std::span<const std::byte> bytes, Time now);
  /// Takes the whole slice without copying, even if it goes over the buffer's end a little; false if closed.
  bool send(Slice slice, Time now);
  size_t receive(std::span<std::byte> out, Time now);
  size_t peek(std::span<std::byte> out) const;
  /// Readable runs without copying, then consume() what was taken.
  size_t readable_runs(std::span<std::span<const std::byte>> runs) const;
  void consume(uint64_t bytes, Time now);
  void shut_down_send(Time now);  ///< DATA_FIN after what is queued: half-close
  void close(Time now);           ///< orderly; unread data means a reset (RFC 9293, 3.10.4; RFC 2525, 2.17)
  void abort(Time now);           ///< MP_FASTCLOSE or RST
  void set_no_delay(bool no_delay, Time now);
  void set_cork(bool is_corked, Time now);  ///< TCP_CORK: hold partial segments, 200 ms at most
  void set_keepalive(std::optional<Duration> idle, Duration interval, uint32_t attempts, Time now);
  void set_user_timeout(Duration timeout, Time now);
  bool set_scheduler(std::string_view name, Time now);  ///< false: unknown
  bool set_congestion_control(std::string_view name, Time now);
  /// IP_TOS and IPV6_TCLASS, ECN's two bits apart: for all subflows but those with a label.
  void set_traffic_class(uint8_t traffic_class);
  void set_hop_limit(uint8_t hop_limit);  ///< IP_TTL and IPV6_UNICAST_HOPS: 1..255, for all subflows
  void set_send_buffer(uint64_t bytes);   ///< fixed from then on: no autotuning
  void set_receive_buffer(uint64_t bytes);

  // ---- commands about paths, whatever the path manager (a program's: docs/path-managers.md)
  /// local_id is found by itself; remote_id 0: likewise, when the peer answers.
  /// The subflow's index; it is up, or given up, later.
  tl::expected<uint8_t, PathError> open_path(SubflowRequest request, Time now);
  /// It is not opened again by itself. The last one may go too: the connection then waits for another.
  PathError close_path(uint8_t index, Time now);
  PathError set_path_backup(uint8_t index, bool is_backup, Time now);
  /// ADD_ADDR, with a port if that is not 0. id 0: the endpoint's with that address, or a free one. Its ID.
  tl::expected<uint8_t, PathError> announce_address(const wire::IpAddress& address, uint16_t port, uint8_t id,
                                                    Time now);
  /// REMOVE_ADDR; subflows from that address are closed.
  PathError withdraw_address(uint8_t id, Time now);

  // ---- handle_* (the host's)
  /// For one of its subflows.
  void on_segment_for(tcp::Subflow& subflow, const wire::TcpSegment& segment, Time now);
  void on_icmp_for(tcp::Subflow& subflow, const wire::IcmpError& error, Time now);
  /// A SYN with MP_JOIN whose token is ours. False: refused; the host answers with RST (reason in `reason`).
  bool on_join(const wire::TcpSegment& syn, const wire::MpJoinSyn& join, wire::ResetReason& reason, Time now);
  void advance(Time now);
  void on_endpoint_added(const PathEndpoint& endpoint, Time now);
  void on_endpoint_removed(const PathEndpoint& endpoint, Time now);
  void on_endpoint_changed(const PathEndpoint& endpoint, Time now);
  void on_local_address_removed(const wire::IpAddress& address, Time now);

  // ---- poll_*
  void poll_transmit(tcp::SegmentSink& sink, Time now);
  Time next_deadline() const;

  // ---- getters
  uint64_t send_room_bytes() const;
  uint64_t readable_bytes() const;
  bool is_end_of_stream() const;  ///< DATA_FIN (or FIN) seen and everything read
  bool is_established() const;
  /// Its application may send: established, or with Fast Open before that.
  bool has_begun() const;
  bool is_waiting_for_data() const;  ///< FastOpenConfig::waits_for_data: nothing went out yet
  bool can_send() const;
  bool is_finished() const;  ///< no subflow left, nothing to wait for: may be destroyed
  ConnectionError error() const;
  MultipathState multipath_state() const;
  FallbackReason fallback_reason() const;
  bool is_server() const;
  Token local_token() const;
  wire::Endpoint local() const;  ///< of the initial subflow, also when that is gone
  wire::Endpoint remote() const;
  ConnectionInfo info() const;
  uint64_t memory_bytes() const;  ///< held for send and receive, chunk slack included

  /// For the host's use: its timer, its place in the dirty list, its slot.
  Timer timer{this};
  bool is_dirty = false;
  uint64_t host_id = 0;
  void* host_context = nullptr;
  /// For the DecisionLog's use, who only sees a const connection: under which number it keeps this one.
  mutable uint64_t log_number = 0;

  // ---- tcp::Upper
  uint32_t poll_data(tcp::Subflow& subflow, uint32_t max_bytes, Time now) override;
  uint32_t poll_syn_data(tcp::Subflow& subflow, uint32_t max_bytes, uint32_t option_bytes, Time now) override;
  void fetch_payload(tcp::Subflow& subflow, StreamOffset offset, uint32_t max_bytes,
                     tcp::SegmentPayload& payload) override;
  bool has_pending_data(const tcp::Subflow& subflow) const override;
  void add_options(tcp::Subflow& subflow, const tcp::SegmentContext& context, wire::TcpOptions& options,
                   size_t space, Time now) override;
  void on_acked(tcp::Subflow& subflow, StreamOffset snd_una, Time now) override;
  void on_retransmission_timeout(tcp::Subflow& subflow, uint32_t count, Time now) override;
  void on_path_recovered(tcp::Subflow& subflow, Time now) override;
  tcp::SegmentVerdict on_segment(tcp::Subflow& subflow, const wire::TcpSegment& segment,
                                 uint64_t window_bytes, Time now) override;
  void on_data(tcp::Subflow& subflow, StreamOffset offset, Slice payload, Time now) override;
  void on_fin(tcp::Subflow& subflow, Time now) override;
  uint64_t receive_window(const tcp::Subflow& subflow) const override;
  uint64_t shared_window(const tcp::Subflow& subflow) const override;
  void on_established(tcp::Subflow& subflow, Time now) override;
  void on_closed(tcp::Subflow& subflow, tcp::CloseReason reason, Time now) override;

  // ---- PathActions
  bool open_subflow(const SubflowRequest& request) override;
  void close_subflow(uint8_t index) override;
  void set_backup(uint8_t index, bool is_backup) override;
  bool announce(uint8_t id, const wire::IpAddress& address, uint16_t port) override;
  void withdraw(uint8_t id) override;
  bool are_paths_due() const override;
  void on_withheld(Withheld why) override;
  void set_timer(Time at) override;

  /// connection_impl.h: not for callers.
  struct Impl;

 private:
  Connection();
  std::unique_ptr<Impl> impl_;
};

}  // namespace braid::mptcp
