// A whole host against a peer that knows the protocol and obeys none of it: it follows sequence numbers, keys
// and HMACs of what the host sends, so that most of its packets pass the first checks, and then does what the
// input says. Afterwards the peer falls silent, and the host has to come to rest with nothing left behind.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <span>
#include <vector>

#include "base/check.h"
#include "host/host.h"
#include "mptcp/keys.h"
#include "wire/packet.h"

namespace {

using namespace braid;

const wire::IpAddress kHost = wire::IpAddress::v4(0xc6336401), kHostSecond = wire::IpAddress::v4(0xc6336411);
const wire::IpAddress kPeer = wire::IpAddress::v4(0xcb007101), kPeerSecond = wire::IpAddress::v4(0xcb007102);
constexpr uint16_t kListening = 80;
constexpr mptcp::Key kPeerKey = 0x0123456789abcdef;
constexpr uint32_t kPeerNonce = 0x600dbeef;

/// The input as a stream of small numbers; zeros when it is used up.
class Script {
 public:
  explicit Script(std::span<const uint8_t> bytes) : bytes_(bytes) {}
  bool empty() const { return bytes_.empty(); }
  uint8_t byte() {
    if (bytes_.empty()) return 0;
    const uint8_t b = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return b;
  }
  uint16_t word() { return static_cast<uint16_t>(byte() << 8 | byte()); }
  uint64_t wide() {
    uint64_t value = 0;
    for (int i = 0; i < 8; ++i) value = value << 8 | byte();
    return value;
  }
  /// Mostly 0, else a signed step, small or large.
  int32_t step() {
    const uint8_t b = byte();
    if (b < 160) return 0;
    const int32_t magnitude = int32_t{1} << (b % 31);
    return b & 0x20 ? magnitude : -magnitude;
  }

 private:
  std::span<const uint8_t> bytes_;
};

/// One TCP between peer and host, as the peer follows it.
struct Flow {
  wire::FourTuple tuple;  // local: the host's end
  Seq32 our_isn{1'000'000}, our_next{1'000'000};
  Seq32 host_isn, host_next;
  bool has_seen_host = false;
  uint32_t host_timestamp = 0;
  std::optional<wire::MpJoinSyn> host_join;
  uint32_t host_nonce = 0;
  mptcp::Key host_key = 0;  // of its connection, once seen
};

class Peer final : public host::HostSink {
 public:
  explicit Peer(ChunkPool& pool) : pool_(pool) {
    const auto flow = [](const wire::IpAddress& local, uint16_t local_port, const wire::IpAddress& remote,
                         uint16_t remote_port) {
      Flow f;
      f.tuple = {{local, local_port}, {remote, remote_port}};
      return f;
    };
    flows_.push_back(flow(kHost, kListening, kPeer, 1000));
    flows_.push_back(flow(kHost, 5000, kPeer, kListening));  // the host's own connect
    flows_.push_back(flow(kHostSecond, kListening, kPeer, 1001));
    flows_.push_back(flow(kHost, kListening, kPeerSecond, 1002));
    flows_.push_back(flow(kHostSecond, 12345, kPeerSecond, 1003));
  }

  /// What the host sends is well-formed, always.
  void send(host::InterfaceId, wire::OutgoingPacket& packet) override {
    ++packets;
    const wire::ReceivedPacket flat = wire::flatten(packet, pool_);
    const wire::ParsedPacket parsed = wire::parse_packet(flat);
    const auto* segment = std::get_if<wire::TcpSegment>(&parsed);
    BRAID_CHECK(segment != nullptr);
    BRAID_CHECK(segment->options.malformed == 0 && segment->options.malformed_mptcp == 0);
    follow(*segment);
  }

  wire::OutgoingSegment make_segment(Script& script) {
    Flow& flow = flows_[script.byte() % flows_.size()];
    wire::OutgoingSegment segment;
    segment.tuple = {flow.tuple.remote, flow.tuple.local};
    set_flags(segment.flags, script.byte());
    const auto seq_step = static_cast<uint32_t>(script.step());
    segment.seq = (segment.flags.syn ? flow.our_isn : flow.our_next) + seq_step;
    if (segment.flags.ack) segment.ack = flow.host_next + static_cast<uint32_t>(script.step());
    segment.window = static_cast<uint16_t>(script.byte() << 8);
    const uint8_t wants = script.byte();
    const size_t payload = wants & 1 ? script.byte() * (wants & 2 ? 8u : 1u) : 0;
    add_tcp_options(segment, flow, wants, script);
    for (int i = 0; i < (wants >> 6); ++i) add_mptcp_option(segment, flow, payload, script);
    while (segment.options.encoded_size() > wire::kMaxTcpOptionBytes) segment.options.mptcp.pop_back();
    if (payload > 0) {
      const std::vector<std::byte> bytes(payload, static_cast<std::byte>(payload));
      segment.payload.push_back(copy_to_slice(pool_, bytes));
    }
    if (seq_step == 0) {
      flow.our_next = segment.seq + static_cast<uint32_t>(payload) + segment.flags.syn + segment.flags.fin;
    }
    return segment;
  }

  uint64_t packets = 0;

 private:
  static void set_flags(wire::TcpFlags& flags, uint8_t bits) {
    constexpr uint8_t kUsual = 0x60;  // mostly plain ACKs and SYNs
    if ((bits & kUsual) == 0) {
      flags.ack = true;
      flags.psh = bits & 1;
      return;
    }
    if ((bits & kUsual) == 0x20) {
      flags.syn = true;
      flags.ack = bits & 1;
      return;
    }
    flags.fin = bits & 1, flags.syn = bits & 2, flags.rst = bits & 4, flags.psh = bits & 8;
    flags.ack = bits & 16, flags.urg = bits & 128;
  }

  Flow* find(const wire::FourTuple& tuple) {
    for (Flow& flow : flows_) {
      if (flow.tuple == tuple) return &flow;
    }
    return nullptr;
  }

  void follow(const wire::TcpSegment& segment) {
    const wire::FourTuple tuple{segment.tuple.remote, segment.tuple.local};
    Flow* flow = find(tuple);
    if (flow == nullptr) {  // a subflow that the host opened
      if (flows_.size() >= 12 || !segment.flags.syn) return;
      flow = &flows_.emplace_back();
      flow->tuple = tuple;
    }
    const Seq32 end = segment.seq + segment.sequence_length();
    if (segment.flags.syn) {
      flow->host_isn = segment.seq;
      flow->host_next = end;
    } else if (!flow->has_seen_host || end.after(flow->host_next)) {
      flow->host_next = end;
    }
    flow->has_seen_host = true;
    if (segment.flags.ack && !segment.flags.rst) flow->our_next = segment.ack;
    if (segment.options.timestamps) flow->host_timestamp = segment.options.timestamps->value;
    for (const wire::MptcpOption& option : segment.options.mptcp) {
      if (const auto* capable = std::get_if<wire::MpCapable>(&option); capable && capable->sender_key) {
        flow->host_key = host_key_ = *capable->sender_key;
      } else if (const auto* join = std::get_if<wire::MpJoinSyn>(&option)) {
        flow->host_nonce = join->sender_nonce;
      } else if (const auto* answer = std::get_if<wire::MpJoinSynAck>(&option)) {
        flow->host_nonce = answer->sender_nonce;
      } else if (const auto* dss = std::get_if<wire::Dss>(&option); dss && dss->mapping) {
        host_data_ = dss->mapping->data_seq.value + dss->mapping->data_length;
      }
    }
  }

  static void add_tcp_options(wire::OutgoingSegment& segment, const Flow& flow, uint8_t wants,
                              Script& script) {
    wire::TcpOptions& options = segment.options;
    if (segment.flags.syn) {
      options.mss = wants & 4 ? script.word() : 1460;
      if (wants & 8) options.window_scale = script.byte() % 20;
      options.sack_permitted = true;
    } else if (wants & 4) {
      const Seq32 begin = flow.host_next - script.word();
      options.sack.push_back({begin, begin + script.byte()});
    }
    if ((wants & 16) == 0) options.timestamps = wire::Timestamps{script.byte() + 1u, flow.host_timestamp};
  }

  mptcp::Key key_of(const Flow& flow) const { return flow.host_key != 0 ? flow.host_key : host_key_; }

  void add_mptcp_option(wire::OutgoingSegment& segment, const Flow& flow, size_t payload, Script& script) {
    const uint8_t kind = script.byte();
    const mptcp::Key host_key = key_of(flow) ^ (kind >= 0xf0 ? script.wide() : 0);
    wire::MptcpOptions& options = segment.options.mptcp;
    if (options.size() == options.capacity()) return;
    switch (kind % 12) {
      case 0:
        options.push_back(make_capable(segment, host_key, payload, script));
        return;
      case 1:
        options.push_back(make_join(segment, flow, host_key, script));
        return;
      case 2:
        options.push_back(make_add_addr(host_key, script));
        return;
      case 3: {
        wire::RemoveAddr remove;
        remove.address_ids.push_back(script.byte() % 4);
        options.push_back(remove);
        return;
      }
      case 4:
        options.push_back(wire::MpPrio{static_cast<bool>(script.byte() & 1), std::nullopt});
        return;
      case 5:
        options.push_back(wire::MpFail{mptcp::derive(kPeerKey).idsn + 1 + script.word()});
        return;
      case 6:
        options.push_back(wire::MpFastclose{host_key});
        return;
      case 7: {
        wire::MpTcpRst reset;
        reset.reason = static_cast<wire::ResetReason>(script.byte() & 15);
        options.push_back(reset);
        return;
      }
      default:
        options.push_back(make_dss(segment, flow, host_key, payload, script));
        return;
    }
  }

  static wire::MpCapable make_capable(const wire::OutgoingSegment& segment, mptcp::Key host_key,
                                      size_t payload, Script& script) {
    const uint8_t bits = script.byte();
    wire::MpCapable capable;
    capable.checksum_required = bits & 1;
    capable.deny_join_initial = bits & 2;
    capable.version = bits & 4 ? 0 : 1;
    capable.hmac_sha256 = (bits & 8) == 0;
    capable.extensibility = bits & 16;
    if (!segment.flags.syn || segment.flags.ack) capable.sender_key = kPeerKey;
    if (!segment.flags.syn) capable.receiver_key = host_key;
    if (!segment.flags.syn && payload > 0) capable.data_length = static_cast<uint16_t>(payload);
    return capable;
  }

  static wire::MptcpOption make_join(const wire::OutgoingSegment& segment, const Flow& flow,
                                     mptcp::Key host_key, Script& script) {
    const uint8_t bits = script.byte();
    const bool is_backup = bits & 1;
    const auto id = static_cast<uint8_t>(bits >> 4);
    if (segment.flags.syn && !segment.flags.ack) {
      return wire::MpJoinSyn{is_backup, id, mptcp::derive(host_key).token, kPeerNonce};
    }
    const auto hmac = mptcp::join_hmac(kPeerKey, host_key, kPeerNonce, flow.host_nonce);
    if (segment.flags.syn) return wire::MpJoinSynAck{is_backup, id, mptcp::truncate64(hmac), kPeerNonce};
    return wire::MpJoinAck{mptcp::truncate160(hmac)};
  }

  static wire::AddAddr make_add_addr(mptcp::Key host_key, Script& script) {
    const uint8_t bits = script.byte();
    wire::AddAddr add;
    add.is_echo = bits & 1;
    add.address_id = bits >> 4;
    add.address = bits & 2 ? kPeerSecond : kPeer;
    if (bits & 4) add.port = script.word();
    if (!add.is_echo) {
      add.truncated_hmac =
          mptcp::add_addr_hmac(kPeerKey, host_key, add.address_id, add.address, add.port.value_or(0));
    }
    return add;
  }

  wire::Dss make_dss(const wire::OutgoingSegment& segment, const Flow& flow, mptcp::Key host_key,
                     size_t payload, Script& script) {
    const uint8_t bits = script.byte();
    wire::Dss dss;
    const bool is_wide = bits & 1;
    const auto number = [&](uint64_t value) {
      return wire::WideOrNarrow{is_wide ? value : value & UINT32_MAX, is_wide};
    };
    if (bits & 2) {
      const uint64_t seen = host_data_ != 0 ? host_data_ : mptcp::derive(host_key).idsn + 1;
      dss.data_ack = number(seen + static_cast<uint64_t>(int64_t{script.step()}));
    }
    if (bits & 4) {
      wire::DssMapping mapping;
      const auto offset = static_cast<uint32_t>((segment.seq - flow.our_isn.value()).value());
      const uint64_t data = mptcp::derive(kPeerKey).idsn + offset;
      mapping.data_seq = number(data + static_cast<uint64_t>(int64_t{script.step()}));
      mapping.subflow_seq = offset + static_cast<uint32_t>(script.step());
      mapping.data_length = static_cast<uint16_t>(payload + static_cast<uint32_t>(script.step()));
      if (bits & 8) {
        dss.data_fin = true;
        ++mapping.data_length;
        if (payload == 0) mapping.subflow_seq = 0;
      }
      if (bits & 16) mapping.checksum = script.word();
      dss.mapping = mapping;
    }
    return dss;
  }

  ChunkPool& pool_;
  std::vector<Flow> flows_;
  mptcp::Key host_key_ = 0;  // the last seen
  uint64_t host_data_ = 0;
};

class Scene {
 public:
  explicit Scene(uint8_t variant) : random_(variant), host_(config(variant), random_, now_), peer_(pool_) {
    const auto add = [&](const wire::IpAddress& address) {
      host::InterfaceConfig interface;
      interface.addresses = {{address, 28}};
      interface.routes = {{wire::IpAddress::any(wire::Family::kV4), 0, 0}};
      return host_.add_interface(interface);
    };
    add(kHost);
    add(kHostSecond);
    mptcp::PathEndpoint endpoint;
    endpoint.address = kHostSecond;
    endpoint.is_subflow = variant & 4;
    endpoint.is_signal = variant & 8;
    endpoint.is_fullmesh = variant & 16;
    host_.add_endpoint(endpoint, now_);
    listener_ = host_.listen({kHost, kListening}, {.backlog = 4}).value();
    open_.push_back(host_.connect({kPeer, kListening}, {.local = wire::Endpoint{kHost, 5000}}, now_).value());
    settle();
  }

  void run(Script& script) {
    while (!script.empty()) {
      const uint8_t op = script.byte();
      if (op < 160) {
        receive(peer_.make_segment(script), script, op < 8);
      } else if (op < 192) {
        pass(Duration(1ms) * (int64_t{1} << (op % 18)));
      } else {
        command(op, script);
      }
      settle();
      BRAID_CHECK(host_.chunks().bytes_in_use() + pool_.bytes_in_use() < 64u << 20);
    }
  }

  /// Applications close, the peer is silent: within hours all is over.
  void wind_up() {
    accept();
    for (const host::ConnectionId id : open_) host_.close(id, now_);
    host_.close(listener_, now_);
    settle();
    for (int i = 0; i < 20'000 && host_.next_deadline() != kNever; ++i) {
      now_ = std::max(now_, host_.next_deadline());
      host_.advance(now_);
      settle();
    }
    BRAID_CHECK(host_.connection_count() == 0);
    BRAID_CHECK(host_.chunks().bytes_in_use() == 0);
    BRAID_CHECK(pool_.bytes_in_use() == 0);
  }

 private:
  static host::HostConfig config(uint8_t variant) {
    host::HostConfig config;
    config.max_connections = 64;
    config.max_time_wait = 16;
    config.connection.require_checksum = variant & 1;
    config.connection.is_multipath = (variant & 2) == 0;
    config.paths.limits = {4, 4};
    config.connection.scheduler = variant & 32 ? "round-robin" : "lowest-rtt";
    config.connection.congestion_control = variant & 64 ? "lia" : "cubic";
    return config;
  }

  void receive(const wire::OutgoingSegment& segment, Script& script, bool is_mangled) {
    wire::OutgoingPacket packet;
    wire::build_packet(segment, wire::OffloadSupport::kNone, 0, packet);
    wire::ReceivedPacket received = wire::flatten(packet, pool_);
    received.checksum = wire::ChecksumState::kValid;
    if (is_mangled) {  // behind the IP header, whose checksum stays right
      const size_t at = 20 + script.byte() % (received.bytes.size() - 20);
      received.bytes.chunk()->data()[at] = static_cast<std::byte>(script.byte());
    }
    host_.receive(0, received, now_);
  }

  void pass(Duration duration) {
    const Time end = now_ + duration;
    for (int i = 0; i < 1000 && host_.next_deadline() <= end; ++i) {
      now_ = std::max(now_, host_.next_deadline());
      host_.advance(now_);
      settle();
    }
    now_ = std::max(now_, end);
    host_.advance(now_);
  }

  void accept() {
    for (auto id = host_.accept(listener_); id != host::ConnectionId::kNone; id = host_.accept(listener_)) {
      open_.push_back(id);
    }
  }

  void command(uint8_t op, Script& script) {
    accept();
    const host::ConnectionId id = open_[script.byte() % open_.size()];
    mptcp::Connection* connection = host_.find(id);
    if (op % 16 == 8) {
      host_.set_interface_up(1, script.byte() & 1, now_);
    } else if (op % 16 == 9) {
      host_.remove_address(1, kHostSecond, now_);
    } else if (op % 16 == 10) {
      host_.add_address(1, {kHostSecond, 28}, now_);
    } else if (op % 16 == 11) {
      host_.change_endpoint(1, script.byte() & 1, script.byte() & 1, now_);
    } else if (connection != nullptr) {
      command(*connection, id, op, script);
    }
  }

  void command(mptcp::Connection& connection, host::ConnectionId id, uint8_t op, Script& script) {
    std::array<std::byte, 4096> buffer{};
    const auto bytes = std::span(buffer).first(1 + script.byte() * 16u);
    switch (op % 16) {
      case 0:
      case 1:
      case 2:
        connection.send(bytes, now_);
        return;
      case 3:
      case 4:
        connection.receive(bytes, now_);
        return;
      case 5:
        connection.shut_down_send(now_);
        return;
      case 6:
        host_.close(id, now_);
        return;
      case 7:
        host_.abort(id, now_);
        return;
      case 12:
        connection.set_cork(bytes.size() & 16, now_);
        return;
      case 13:
        connection.set_keepalive(Duration(1s), Duration(1s), 3, now_);
        return;
      case 14:
        connection.set_receive_buffer(bytes.size() * 8);
        return;
      default:
        connection.set_congestion_control(op & 16 ? "reno" : "cubic", now_);
        return;
    }
  }

  void settle() {
    for (int i = 0; i < 100; ++i) {
      host_.transmit(peer_, now_);
      while (host_.poll_event()) {
      }
      if (host_.next_deadline() > now_) return;
      host_.advance(now_);
    }
    BRAID_CHECK(!"the host never comes to rest");
  }

  ChunkPool pool_;
  Time now_{Duration(1h)};
  SeededRandom random_;
  host::Host host_;
  Peer peer_;
  host::ListenerId listener_{};
  std::vector<host::ConnectionId> open_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > 4096) return 0;
  Script script({data + 1, size - 1});
  Scene scene(data[0]);
  scene.run(script);
  scene.wind_up();
  return 0;
}
