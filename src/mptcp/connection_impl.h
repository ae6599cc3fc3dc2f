// What is behind a Connection. One struct, its parts by topic; the methods of each topic have a file of their
// own, named beside them.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include "mptcp/announcements.h"
#include "mptcp/connection.h"
#include "mptcp/coupled/coupled.h"
#include "mptcp/mptcp_subflow.h"
#include "mptcp/reassembly.h"
#include "mptcp/receive_buffer.h"
#include "mptcp/reinjection.h"
#include "mptcp/scheduler/scheduler.h"
#include "mptcp/send_buffer.h"

namespace braid::mptcp {

/// Why a subflow gets data.
enum class DataSource : uint8_t {
  kNew,          // nobody had them before
  kReinjection,  // another had them and does not deliver them
  kCopy,         // another has them as well: redundancy
};

/// The connection's own timers; each subflow has its own besides.
enum class ConnectionTimer : uint8_t {
  kDataRetransmit,  // DATA_ACK makes no progress although the subflows acknowledged
  kDataFin,         // DATA_FIN not acknowledged
  kPersist,         // the peer's window is closed
  kCork,            // a partial segment was held back long enough
  kAnnounce,        // ADD_ADDR not echoed
  kPathManager,
  kLinger,     // the application closed: the rest may not take for ever
  kSurvive,    // no subflow left: the wait for another
  kOpenPaths,  // the connection is old enough to have further paths
  kRace,       // no answer to the first SYN yet: another from elsewhere
  kCount,
};

/// Keys and how negotiation stands.
struct Negotiation {
  MultipathState state = MultipathState::kNegotiating;
  FallbackReason fallback = FallbackReason::kNone;
  bool is_server = false;
  bool is_checksummed = false;
  bool may_join_initial = true;  // the peer's flag C was not set
  bool has_local_key = false;    // registered
  bool was_offered = false;      // client: a SYN with MP_CAPABLE went out
  bool went_plain = false;       // client: and one without
  uint32_t offers = 0;           // client: SYNs that may carry it before one goes without
  Version version = Version::kV1;
  bool is_third_ack_due = false;
  bool have_keys_gone = false;  // client: the next ACK may say something else
  std::string fallback_packet;  // a summary of the segment that led to it
  std::string bare_packet;      // and of one that may yet
  bool has_remote_key = false;  // version 0: the key may have come with the SYN
  KeyMaterial local, remote;

  bool is_multipath() const {
    return state == MultipathState::kConfirmed || state == MultipathState::kEstablished;
  }
  bool is_fallback() const { return state == MultipathState::kFallback; }
};

struct Sending {
  Sending(ChunkPool& pool, uint64_t limit) : buffer(pool), limit_bytes(limit) {}

  SendBuffer buffer;
  DataOffset next{1};         // first octet not granted to any subflow yet
  DataOffset window_edge{1};  // first octet that the peer's window does not allow
  ReinjectionQueue reinjections;
  // Redundant schedulers: from here on, nobody skips data on account of its own maps.
  DataOffset shared_from{1};
  bool has_copies = false;    // subflows may hold the same octets
  uint64_t window_stops = 0;  // how often the window, or the full buffer, kept a subflow from sending
  uint64_t reinjected_bytes = 0;
  uint64_t retransmitted_bytes = 0;  // by subflows that are gone
  DataOffset rescued_to;             // opportunistically retransmitted up to here
  double caution = 1;                // with the next scheduling, as of cautioned_at
  Time cautioned_at{};
  DataOffset partial_end;  // end of the last segment that was not full (Minshall's form of Nagle)
  uint64_t limit_bytes;    // the application may fill the buffer up to this
  bool is_limit_fixed = false;
  Time tuned_at{};
  bool was_refused = false;  // send() took less than offered: kWritable is owed
  bool no_delay = false, is_corked = false, is_push_due = false;
  // Octets that the subflows have acknowledged and DATA_ACK has not: found missing, repeated at data level.
  std::optional<DataOffset> missing_head;
  uint32_t stagnations = 0;        // repeated without progress since
  bool has_data_ack_come = false;  // any, from any subflow
  bool has_repeated = false;       // octets went again, as new ones of a subflow
  uint32_t word_probes = 0;        // plain_peer.cc: since the last progress
  uint32_t probes = 0;
  /// Plain TCP from the middle of the stream on: a point on the line of the infinite mapping, which data
  /// segments tell until one that did is acknowledged.
  struct InfiniteMap {
    DataOffset data;
    StreamOffset stream;
    std::optional<StreamOffset> told_by;  // end of the first segment with it
    StreamOffset from{};  // what was mapped before keeps its mapping, also when it is repeated
  };
  std::optional<InfiniteMap> infinite_map;
};

/// TCP Fast Open: fast_open.cc.
struct FastOpen {
  std::optional<wire::FastOpenCookie> cookie;  // client: what the server gave; server: what it is to be given
  bool is_planned = false;                     // client: earlier SYNs do not speak against it
  bool is_syn_deferred = false;                // client: the SYN waits for data
  bool was_option_sent = false;                // client
  bool has_cookie_gone = false;                // client: on a SYN
  bool has_timed_out = false;                  // client: that SYN was not answered in time
  uint16_t peer_mss = 0;                       // client: 0: unknown
  uint32_t syn_bytes = 0;                      // client: data on the SYN
  bool is_accepted = false;                    // server: the SYN's data were taken
};

struct Receiving {
  explicit Receiving(const ConnectionConfig& config)
      : buffer(config.autotune ? config.initial_receive_buffer_bytes : config.receive_buffer_bytes,
               config.receive_buffer_bytes, config.autotune) {}

  Reassembly data;
  ReceiveBuffer buffer;
  // In fallback: the octet at linear_stream is the octet linear_data.
  StreamOffset linear_stream{1};
  DataOffset linear_data{1};
  std::optional<DataOffset> fin;  // where the peer's DATA_FIN is
  bool is_fin_consumed = false;
  bool has_sent_data_ack = false;
  Time first_data_ack_at{};          // when
  bool is_peer_wide = true;          // the peer's data sequence numbers have 64 bits; our DATA_ACKs then too
  bool awaits_infinite_map = false;  // we sent MP_FAIL, and the peer may not know yet that this is plain TCP
  uint8_t last_subflow = 0;          // that brought a segment
  bool is_readable_raised = false;
};

struct Closing {
  bool is_send_shut = false;  // no more from the application
  bool is_app_closed = false;
  bool is_fin_sent = false, is_fin_acked = false;
  bool is_fin_due = false;     // the next ACK carries it
  bool is_fin_mapped = false;  // the last octets went with it, the first time and so ever after
  bool is_probe_due = false;   // and a probe follows: has the answer any option?
  uint32_t fin_attempts = 0;
  Time progress_at{};  // of our data, after the application closed
  bool are_subflows_closing = false;
  bool is_refusing_due = false;  // data came after the application had closed
  bool is_over = false;          // kClosed or kFailed was raised
};

struct Connection::Impl {
  Impl(Connection& owner, const ConnectionConfig& configuration, Environment& environment, Time time);
  ~Impl();

  Connection& self;
  Environment& env;
  ConnectionConfig config;
  Time now;
  const Time opened;

  const wire::TcpSegment* current = nullptr;  // the segment under examination
  Negotiation negotiation;
  Sending sending;
  Receiving receiving;
  Closing closing;
  FastOpen fast_open;
  Announcements announcements;
  ConnectionError error = ConnectionError::kNone;
  bool was_established = false;
  bool is_race_refused = false;        // a RST answered one of them
  std::vector<wire::IpAddress> raced;  // where first SYNs went from; emptied when one is answered
  wire::Endpoint local, remote;
  bool is_initial_address_withdrawn = false;  // REMOVE_ADDR 0 was sent
  struct ProgramAddress {
    uint8_t id = 0;
    wire::IpAddress address;
  };
  std::vector<ProgramAddress> program_addresses;  // announced by a program's command; bounded by the IDs
  uint8_t most_subflows = 0;                      // ever at once
  bool had_siblings = false;                      // a further subflow was up: then the peer knows of it
  bool may_have_siblings = false;                 // or as far that it may be up for the peer

  // The group outlives the controllers in the subflows, and so is declared before them.
  std::unique_ptr<CoupledGroup> group;
  std::vector<std::unique_ptr<MptcpSubflow>> subflows;
  std::vector<SubflowView> views;
  std::unique_ptr<Scheduler> scheduler;
  std::unique_ptr<PathManager> path_manager;
  bool are_paths_due = false;
  std::array<Time, static_cast<size_t>(ConnectionTimer::kCount)> timers;
  bool is_another_round_due = false;
  bool is_settling_due = false;

  Counters& counters() { return env.counters(); }
  Time& timer(ConnectionTimer which) { return timers[static_cast<size_t>(which)]; }
  MptcpSubflow& member(tcp::Subflow& subflow) { return static_cast<MptcpSubflow&>(subflow); }

  // ---- subflows.cc: making, asking and ending subflows
  MptcpSubflow* add_subflow(const wire::FourTuple& tuple, std::optional<uint8_t> label = {});
  std::optional<uint8_t> label_of_initial() const;
  std::optional<uint8_t> label_of(const wire::TcpSegment& syn) const;
  std::unique_ptr<tcp::CongestionControl> make_congestion_control(uint32_t mss);
  MptcpSubflow* find_subflow(uint8_t index);
  MptcpSubflow* initial();
  MptcpSubflow* best_subflow(bool must_be_usable);
  size_t usable_count() const;
  bool is_only_subflow(const MptcpSubflow& subflow) const;
  PathSubflow path_of(const MptcpSubflow& subflow) const;
  Duration largest_srtt() const;
  Duration data_rto() const;
  uint64_t mss() const;
  void ask_for_ack(MptcpSubflow& subflow);
  void ask_for_bare_ack(MptcpSubflow& subflow);
  void ask_all_for_acks();
  void update_views();
  void update_probe_limits();
  void poll_transmit(tcp::SegmentSink& sink);
  void reap();
  void on_subflow_gone(MptcpSubflow& subflow);
  void on_last_subflow_gone(const MptcpSubflow& subflow, bool is_path_manager_busy);
  bool is_patience_over(const MptcpSubflow& last) const;
  void reset_subflow(MptcpSubflow& subflow, wire::ResetReason reason);

  // ---- doubts.cc: paths whose ACKs are overdue
  Time doubt_deadline(const MptcpSubflow& subflow) const;
  void advance_doubts();
  static bool has_sign_of_life(const MptcpSubflow& subflow);

  // ---- timers.cc
  void advance();
  void on_timer(ConnectionTimer which);
  void advance_join(MptcpSubflow& subflow);
  Time next_deadline() const;

  // ---- racing.cc: the first SYN over several of the host's addresses
  void start_race();
  void race();
  bool open_racer();
  void win_race(MptcpSubflow& winner);
  void on_racer_gone(const MptcpSubflow& subflow);

  // ---- open_paths.cc: when further paths are worth it
  void start_open_paths();
  void check_paths_due();
  void make_paths_due();

  // ---- keepalives.cc: idle paths
  void update_keepalives();
  void update_keepalive(MptcpSubflow& subflow, bool has_siblings);

  // ---- handshake.cc: MP_CAPABLE and fallback
  void connect(const wire::FourTuple& tuple);
  void accept(const wire::TcpSegment& syn, SynOrigin origin, const FastOpenAnswer& answer);
  void offer();
  std::optional<FallbackReason> judge_syn_ack(const wire::TcpOptions& options) const;
  bool are_keys_right(const wire::MpCapable& capable) const;
  tcp::SegmentVerdict on_syn(MptcpSubflow& subflow, const wire::TcpSegment& segment, uint64_t window);
  void on_syn_ack(const wire::TcpSegment& segment, uint64_t window);
  tcp::SegmentVerdict on_third_ack(MptcpSubflow& subflow, const wire::TcpSegment& segment, uint64_t window);
  void establish();
  void fall_back(FallbackReason reason);
  bool can_fall_back_in_mid_stream(const MptcpSubflow& subflow) const;
  void fall_back_in_mid_stream(MptcpSubflow& subflow, FallbackReason reason);
  void on_established(MptcpSubflow& subflow);

  // ---- plain_peer.cc: a peer that turned to plain TCP without a word
  MptcpSubflow* sole_subflow();
  bool is_linear(const MptcpSubflow& subflow, StreamOffset received_to) const;
  void note_options(MptcpSubflow& subflow, const wire::TcpSegment& segment);
  tcp::SegmentVerdict on_bare_segment(MptcpSubflow& subflow);
  bool has_word_of_missing(const MptcpSubflow& only) const;
  void await_word(MptcpSubflow& only);
  void probe_for_word(MptcpSubflow& only);
  bool is_in_doubt(const MptcpSubflow& only) const;
  bool becomes_plain_like_peer(MptcpSubflow& only);
  void become_plain(MptcpSubflow& subflow, FallbackReason reason, StreamOffset received_to);
  void tell_unaware_peer(MptcpSubflow& subflow, const wire::TcpSegment& segment);

  // ---- fast_open.cc: data on the SYN
  void plan_fast_open();
  void start_connecting();
  void send_deferred_syn();
  std::optional<wire::FastOpenCookie> fast_open_option(const MptcpSubflow& subflow, uint32_t attempt) const;
  uint32_t poll_syn_data(MptcpSubflow& subflow, uint32_t max_bytes, uint32_t option_bytes);
  bool may_send_without_cookie(const MptcpSubflow& subflow) const;
  void on_fast_open_answer(MptcpSubflow& subflow, const wire::TcpSegment& segment);
  void settle_syn_data(MptcpSubflow& subflow);
  void take_back_syn_data(MptcpSubflow& subflow);
  void on_syn_data(MptcpSubflow& subflow, Slice payload);
  void set_remote_key(const MptcpSubflow& subflow, Key key);
  void on_fast_opened(const wire::TcpSegment& syn);
  std::optional<wire::FastOpenCookie> fast_open_answer(uint32_t attempt, size_t space) const;

  // ---- join.cc
  /// `detail`: what is behind a refusal, for people.
  bool on_join(const wire::TcpSegment& syn, const wire::MpJoinSyn& join, wire::ResetReason& reason,
               std::string_view& detail);
  PathError open_subflow(SubflowRequest request);
  tcp::SegmentVerdict on_join_syn_ack(MptcpSubflow& subflow, const wire::TcpSegment& segment);
  tcp::SegmentVerdict on_join_segment(MptcpSubflow& subflow, const wire::TcpSegment& segment);
  void on_join_up(MptcpSubflow& subflow);
  bool is_backup_endpoint(uint8_t id) const;
  uint8_t local_id_of(const wire::Endpoint& at) const;

  /// Only with somebody to read it: decide with is_logged() whether to say anything.
  bool is_logged() const { return env.decision_log() != nullptr; }
  void log(Decision decision);
  void log(Decision decision, const MptcpSubflow& subflow);

  // ---- options.cc: what goes on a segment
  void add_options(MptcpSubflow& subflow, const tcp::SegmentContext& context, wire::TcpOptions& options,
                   size_t space);

  // ---- sending.cc: grants, DATA_ACK, reinjection
  uint32_t poll_data(MptcpSubflow& subflow, uint32_t max_bytes);
  bool has_pending_data(const MptcpSubflow& subflow) const;
  uint64_t grant_fresh(MptcpSubflow& subflow, uint64_t max_bytes);
  uint64_t without_partial_segment(MptcpSubflow& subflow, uint64_t bytes, uint64_t buffered);
  static uint64_t room_under_cap(const MptcpSubflow& subflow);
  bool may_take_reinjections(const MptcpSubflow& subflow) const;
  std::optional<DataRange> rescue_head(MptcpSubflow& subflow, uint64_t max_bytes);
  bool is_window_blocked(const MptcpSubflow& subflow) const;
  void on_blocking(MptcpSubflow& holder);
  double caution() const;
  MptcpSubflow* holder_of(DataOffset offset, const MptcpSubflow& asking);
  std::optional<DataRange> take_reinjection(MptcpSubflow& subflow, uint64_t max_bytes);
  uint64_t ask_scheduler(const MptcpSubflow& subflow, uint64_t waiting, bool is_copy);
  void push_map(MptcpSubflow& subflow, DataRange range, DataSource source);
  uint16_t checksum_of(const MptcpSubflow& subflow, const DataMap& map);
  void fetch_payload(MptcpSubflow& subflow, StreamOffset offset, uint32_t max_bytes,
                     tcp::SegmentPayload& payload);
  void on_data_ack(DataOffset ack, uint64_t window);
  void on_data_progress();
  void on_acked(MptcpSubflow& subflow, StreamOffset snd_una);
  uint64_t offer_to_others(MptcpSubflow& subflow);  ///< how many octets
  void on_data_retransmit_timer();
  std::optional<DataRange> missing_at_peer() const;
  void repeat_missing(DataRange missing);
  MptcpSubflow* suspect_of(DataOffset offset);
  Duration confirmation_delay() const;
  void on_persist_timer();
  void tune_send_buffer();
  void on_starved(uint64_t bytes);
  uint64_t data_window() const;
  uint64_t send_room() const;
  bool is_everything_granted() const { return sending.next == sending.buffer.end(); }
  bool is_everything_acked() const { return sending.buffer.data_una() == sending.next; }

  // ---- redundancy.cc: the same data on several subflows
  void begin_copies();
  bool is_redundant() const;
  std::optional<DataRange> next_copy(MptcpSubflow& subflow, uint64_t max_bytes);
  uint64_t reinjectable_bytes(const MptcpSubflow& subflow, DataRange range) const;

  // ---- receiving.cc: options in, mappings, checksum, reassembly
  tcp::SegmentVerdict on_segment(MptcpSubflow& subflow, const wire::TcpSegment& segment, uint64_t window);
  tcp::SegmentVerdict on_options(MptcpSubflow& subflow, const wire::TcpSegment& segment, uint64_t window);
  tcp::SegmentVerdict on_option(MptcpSubflow& subflow, const wire::MptcpOption& option,
                                const wire::TcpSegment& segment, uint64_t window);
  tcp::SegmentVerdict on_dss(MptcpSubflow& subflow, const wire::Dss& dss, uint64_t window);
  tcp::SegmentVerdict on_mapping(MptcpSubflow& subflow, const wire::DssMapping& mapping, bool has_data_fin);
  void on_answer_to_failure(MptcpSubflow& subflow, const wire::TcpSegment& segment);
  tcp::SegmentVerdict on_infinite_mapping(MptcpSubflow& subflow, DataOffset data, StreamOffset stream);
  tcp::SegmentVerdict add_mapping(MptcpSubflow& subflow, const RxMap& map);
  void on_data(MptcpSubflow& subflow, StreamOffset offset, Slice payload);
  void on_mapped_data(MptcpSubflow& subflow, const RxMap& map, StreamOffset offset, Slice payload);
  void on_unmapped_data(MptcpSubflow& subflow, StreamOffset offset, Slice payload);
  void hold(MptcpSubflow& subflow, const RxMap& map, StreamOffset offset, Slice payload);
  void on_bad_checksum(MptcpSubflow& subflow, const RxMap& map);
  void deliver(MptcpSubflow& subflow, DataOffset begin, Slice payload);
  void on_data_fin(DataOffset offset);
  void consume_fin();
  void on_delivered();
  DataOffset data_ack() const;

  // ---- buffers.cc: what the application has read and what the window says then
  void on_read(uint64_t bytes);
  void update_window();
  uint64_t shared_window() const;
  uint64_t receive_limit_slack() const;
  uint64_t memory_bytes() const;

  // ---- addresses.cc: ADD_ADDR, REMOVE_ADDR, MP_PRIO
  void on_add_addr(const wire::AddAddr& option);
  bool is_authentic(const wire::AddAddr& option) const;
  void on_remove_addr(const wire::RemoveAddr& option);
  void on_priority(MptcpSubflow& subflow, const wire::MpPrio& option);
  bool announce(uint8_t id, const wire::IpAddress& address, uint16_t port);
  void withdraw(uint8_t id);
  void set_backup(uint8_t index, bool is_backup);
  void close_subflow(uint8_t index, SubflowEnd why = SubflowEnd::kRemoved);
  void on_local_address_removed(const wire::IpAddress& address);
  void schedule_announcements();

  // ---- path_commands.cc: what a program wants of the paths
  tl::expected<uint8_t, PathError> open_path(SubflowRequest request);
  PathError close_path(uint8_t index);
  PathError set_path_backup(uint8_t index, bool is_backup);
  tl::expected<uint8_t, PathError> announce_address(const wire::IpAddress& address, uint16_t port,
                                                    uint8_t id);
  PathError withdraw_address(uint8_t id);
  std::optional<wire::IpAddress> address_of_id(uint8_t id) const;
  uint8_t free_address_id() const;

  // ---- closing.cc: DATA_FIN, FIN, MP_FASTCLOSE, MP_FAIL, errors
  void shut_down_send();
  void close();
  void abort();
  void settle();
  void send_data_fin();
  void on_data_fin_timer();
  void on_linger_timer();
  void on_data_fin_acked();
  void on_fin(MptcpSubflow& subflow);
  tcp::SegmentVerdict on_fastclose(MptcpSubflow& subflow, const wire::MpFastclose& option,
                                   const wire::TcpSegment& segment);
  tcp::SegmentVerdict on_fail_option(MptcpSubflow& subflow, const wire::MpFail& option);
  void fail(ConnectionError why, const MptcpSubflow* except = nullptr);
  void send_fastclose(MptcpSubflow& subflow);
  void advance_fastclose(MptcpSubflow& subflow);
  void drop_subflows(const MptcpSubflow* except, bool with_fastclose);
  bool is_done_both_ways() const { return closing.is_fin_acked && receiving.is_fin_consumed; }
  bool is_finished() const;

  // ---- connection.cc: events
  void raise(ConnectionEvent event) { env.on_event(self, event); }
  void raise_readable();
  void raise_over(ConnectionEvent event);

  // ---- info.cc
  ConnectionInfo info() const;
  SubflowInfo info_of(const MptcpSubflow& subflow) const;
  std::string_view state_name() const;
};

}  // namespace braid::mptcp
