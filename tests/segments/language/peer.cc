#include "segments/language/peer.h"

#include <algorithm>

#include "segments/language/option_codec.h"
#include "segments/language/words.h"

namespace braid::segments {

namespace {

constexpr uint8_t kTcp = 6, kIcmp = 1, kIcmpV6 = 58;
constexpr uint16_t kFirstPeerPort = 40000;
constexpr std::string_view kFlagBits = "FSRP.UEW";  // from bit 0 on

void put_address(Octets& to, const wire::IpAddress& address) {
  for (size_t i = 0; i < address.size(); ++i) put8(to, address.bytes()[i]);
}

wire::IpAddress get_address(const Octets& packet, size_t at, bool is_v4) {
  if (is_v4) return wire::IpAddress::v4(static_cast<uint32_t>(get(packet, at, 4)));
  std::array<uint8_t, 16> bytes{};
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(get(packet, at + i, 1));
  return wire::IpAddress::v6(bytes);
}

Octets pseudo_header(const wire::IpAddress& from, const wire::IpAddress& to, uint8_t protocol, size_t size) {
  Octets header;
  put_address(header, from);
  put_address(header, to);
  put32(header, size);
  put32(header, protocol);
  return header;
}

uint16_t transport_checksum(const wire::IpAddress& from, const wire::IpAddress& to, uint8_t protocol,
                            const Octets& body) {
  Octets covered = pseudo_header(from, to, protocol, body.size());
  put_all(covered, body);
  return checksum_of(covered);
}

/// "2", "1-2", "1-2b": our address, the peer's, and which pair of ports.
struct PathName {
  int ours = 0, peers = 0, ports = 0;
};
PathName parse_name(std::string name) {
  PathName parsed;
  if (!name.empty() && name.back() >= 'b' && name.back() <= 'z') {
    parsed.ports = name.back() - 'a';
    name.pop_back();
  }
  const size_t dash = name.find('-');
  parsed.ours = static_cast<int>(to_number(name.substr(0, dash)));
  parsed.peers = dash == std::string::npos ? parsed.ours : static_cast<int>(to_number(name.substr(dash + 1)));
  return parsed;
}

}  // namespace

Peer::Peer(const PeerConfig& config) : config_(config), peer_(secret_of(config.key, 1)) {}

wire::IpAddress Peer::our_address(int number) const {
  const bool is_v4 = config_.family == wire::Family::kV4;
  return *wire::IpAddress::parse((is_v4 ? "192.0.2." : "2001:db8:1::") + std::to_string(number));
}

wire::IpAddress Peer::peer_address(int number) const {
  const bool is_v4 = config_.family == wire::Family::kV4;
  return *wire::IpAddress::parse((is_v4 ? "198.51.100." : "2001:db8:2::") + std::to_string(number));
}

const Path* Peer::find(const std::string& name) const {
  const auto found = paths_.find(name);
  return found == paths_.end() ? nullptr : &found->second;
}

Path& Peer::known(const std::string& name) {
  const auto found = paths_.find(name);
  if (found == paths_.end()) throw ScriptError("there is no path " + name + " yet");
  return found->second;
}

std::string Peer::name_of(const wire::FourTuple& tuple) const {
  for (const auto& [name, path] : paths_) {
    if (path.ours == tuple.local && path.peers == tuple.remote) return name;
  }
  return "?";
}

Path& Peer::path_for_syn(const std::string& name, uint16_t service_port) {
  if (const auto found = paths_.find(name); found != paths_.end()) return found->second;
  const PathName parsed = parse_name(name);
  Path path;
  path.name = name;
  path.service_port = service_port;
  path.ours = {our_address(parsed.ours), service_port};
  path.peers = {peer_address(parsed.peers),
                static_cast<uint16_t>(kFirstPeerPort + 100 * parsed.ours + parsed.ports)};
  path.peer_isn = paths_.empty() && config_.isn
                      ? *config_.isn
                      : 0x30000000 + 0x01000000 * static_cast<uint32_t>(paths_.size());
  path.peer_nonce = 0x5eed0000 + static_cast<uint32_t>(paths_.size());
  return paths_.emplace(name, path).first->second;
}

/// Of a packet of ours. One of a pair of endpoints that nobody has seen opens a path.
Path& Peer::path_of_packet(const wire::Endpoint& from, const wire::Endpoint& to) {
  for (auto& [name, path] : paths_) {
    if (path.ours == from && path.peers == to) return path;
  }
  std::string name = "?";
  for (int ours = 1; ours <= 9; ++ours) {
    for (int peers = 1; peers <= 9; ++peers) {
      if (from.address == our_address(ours) && to.address == peer_address(peers))
        name = std::to_string(ours) + (ours == peers ? "" : "-" + std::to_string(peers));
    }
  }
  if (paths_.contains(name)) {
    if (name.find('-') == std::string::npos) name += "-" + name;
    char ports = 'b';
    while (paths_.contains(name + ports)) ++ports;
    name += ports;
  }
  Path path;
  path.name = name;
  path.ours = from;
  path.peers = to;
  path.service_port = to.port;
  path.peer_isn = paths_.empty() && config_.isn
                      ? *config_.isn
                      : 0x30000000 + 0x01000000 * static_cast<uint32_t>(paths_.size());
  path.peer_nonce = 0x5eed0000 + static_cast<uint32_t>(paths_.size());
  return paths_.emplace(name, path).first->second;
}

void Peer::reopen(const std::string& name, uint32_t isn) {
  Path& path = known(name);
  Path fresh;
  fresh.name = name;
  fresh.ours = path.ours;
  fresh.peers = path.peers;
  fresh.service_port = path.service_port;
  fresh.peer_isn = isn;
  fresh.peer_nonce = path.peer_nonce;
  path = fresh;
  our_.reset();
}

// ---- packets of the script's

/// Where in the data stream a segment's payload stands.
uint64_t Peer::stream_position(const Path& path, const SegmentText& segment, uint32_t seq) const {
  if (segment.data.has_value()) return *segment.data;
  if (const auto& map = path.peer_mapping) return map->data + seq - map->stream;
  return seq;
}

Octets Peer::build(const std::string& name, const SegmentText& written) {
  const bool may_open = written.has_flag('S') && !written.has_flag('.');
  Path& path = may_open || written.port.has_value() ? path_for_syn(name, written.port.value_or(80))
               : !paths_.contains(name)             ? path_for_syn(name, 80)
                                                    : known(name);
  SegmentText segment = written;
  if (!segment.seq.has_value()) segment.seq = segment.has_flag('S') ? 0 : path.peer_end;
  if (!segment.ack.has_value() && segment.has_flag('.')) segment.ack = path.our_end;
  if (segment.has_flag('S') && segment.has_flag('.'))
    path.our_syn_text = static_cast<uint32_t>(*segment.ack - 1);
  if (segment.win.has_value() && !segment.has_flag('R')) path.window = *segment.win;

  OptionCodec codec(*this, path, segment, Sender::kPeer);
  Octets options;
  for (const OptionText& option : segment.options) {
    put_all(options, codec.encode(option));
    if (option.name != "raw" && option.name != "nop") {
      while (options.size() % 4 != 0) put8(options, 1);
    }
  }
  while (options.size() % 4 != 0) put8(options, 0);
  if (options.size() > 40) throw ScriptError("options of " + std::to_string(options.size()) + " octets");

  const uint32_t length = segment.len.value_or(0);
  Octets body;
  put16(body, path.peers.port);
  put16(body, path.ours.port);
  put32(body, path.peer_isn + static_cast<uint64_t>(*segment.seq));
  put32(body, segment.has_flag('.') ? path.our_isn.value_or(0) + static_cast<uint64_t>(*segment.ack) : 0);
  put8(body, (20 + options.size()) / 4 << 4);
  unsigned bits = 0;
  for (size_t bit = 0; bit < kFlagBits.size(); ++bit)
    bits |= segment.has_flag(kFlagBits[bit]) ? 1u << bit : 0;
  put8(body, bits);
  put16(body, segment.win.value_or(path.window));
  put16(body, 0);
  put16(body, segment.urg.value_or(0));
  put_all(body, options);
  const uint32_t skipped = segment.has_flag('S') ? 1 : 0;
  const uint64_t first = stream_position(path, segment, static_cast<uint32_t>(*segment.seq) + skipped);
  for (uint32_t i = 0; i < length; ++i) put8(body, stream_octet(first + i) ^ (segment.is_corrupt ? 0x20 : 0));
  const auto other = [](const std::optional<std::string>& address, const wire::IpAddress& usual) {
    return address.has_value() ? wire::IpAddress::parse(*address).value_or(usual) : usual;
  };
  const wire::IpAddress from = other(segment.from, path.peers.address),
                        to = other(segment.to, path.ours.address);
  const uint16_t sum = transport_checksum(from, to, kTcp, body);
  body[16] = static_cast<uint8_t>(sum >> 8);
  body[17] = static_cast<uint8_t>(segment.is_checksum_bad ? ~sum : sum);

  const int64_t end = *segment.seq + length + skipped + (segment.has_flag('F') ? 1 : 0);
  const bool is_meant = !segment.is_checksum_bad && !segment.from.has_value() && !segment.to.has_value();
  if (is_meant) path.peer_end = std::max(path.peer_end, end);
  return wrap(from, to, kTcp, std::move(body));
}

Octets Peer::wrap(const wire::IpAddress& from, const wire::IpAddress& to, uint8_t protocol,
                  Octets body) const {
  Octets packet;
  if (from.is_v4()) {
    put16(packet, 0x4500);
    put16(packet, 20 + body.size());
    put32(packet, 0x4000);
    put8(packet, 64);
    put8(packet, protocol);
    put16(packet, 0);
    put_address(packet, from);
    put_address(packet, to);
    const uint16_t sum = checksum_of(packet);
    packet[10] = static_cast<uint8_t>(sum >> 8);
    packet[11] = static_cast<uint8_t>(sum);
  } else {
    put32(packet, 0x60000000);
    put16(packet, body.size());
    put8(packet, protocol);
    put8(packet, 64);
    put_address(packet, from);
    put_address(packet, to);
  }
  put_all(packet, body);
  return packet;
}

Octets Peer::icmp_header(const std::string& kind, uint32_t mtu) const {
  const bool is_v4 = config_.family == wire::Family::kV4;
  struct Code {
    const char* name;
    uint8_t type4, code4, type6, code6;
  };
  static constexpr Code kCodes[] = {{"net-unreachable", 3, 0, 1, 0},
                                    {"host-unreachable", 3, 1, 1, 3},
                                    {"protocol-unreachable", 3, 2, 4, 1},
                                    {"port-unreachable", 3, 3, 1, 4},
                                    {"too-big", 3, 4, 2, 0},
                                    {"source-route-failed", 3, 5, 1, 5},
                                    {"prohibited", 3, 13, 1, 1},
                                    {"source-quench", 4, 0, 100, 0},
                                    {"time-exceeded", 11, 0, 3, 0},
                                    {"parameter-problem", 12, 0, 4, 0}};
  const auto* code = std::ranges::find_if(kCodes, [&](const Code& c) { return kind == c.name; });
  if (code == std::end(kCodes)) throw ScriptError("no ICMP error has that name: " + kind);
  Octets header{is_v4 ? code->type4 : code->type6, is_v4 ? code->code4 : code->code6, 0, 0};
  put32(header, mtu);
  return header;
}

Octets Peer::build_icmp(const std::string& name, const std::string& kind, uint32_t mtu, int64_t seq) {
  const Path& path = known(name);
  const bool is_v4 = path.ours.address.is_v4();
  Octets quoted;
  put16(quoted, path.ours.port);
  put16(quoted, path.peers.port);
  put32(quoted, path.our_isn.value_or(0) + static_cast<uint64_t>(seq));
  put64(quoted, 0);
  put32(quoted, 0);
  Octets message = icmp_header(kind, mtu);
  put_all(message, wrap(path.ours.address, path.peers.address, kTcp, quoted));
  const wire::IpAddress router = peer_address(9);
  const uint16_t sum =
      is_v4 ? checksum_of(message) : transport_checksum(router, path.ours.address, kIcmpV6, message);
  message[2] = static_cast<uint8_t>(sum >> 8);
  message[3] = static_cast<uint8_t>(sum);
  return wrap(router, path.ours.address, is_v4 ? kIcmp : kIcmpV6, std::move(message));
}

// ---- packets of ours

Peer::Arrival Peer::read(const Octets& packet) {
  const bool is_v4 = get(packet, 0, 1) >> 4 == 4;
  const size_t ip_size = is_v4 ? 20 : 40;
  const wire::IpAddress from = get_address(packet, is_v4 ? 12 : 8, is_v4);
  const wire::IpAddress to = get_address(packet, is_v4 ? 16 : 24, is_v4);
  const Octets body(packet.begin() + static_cast<std::ptrdiff_t>(ip_size), packet.end());
  const uint64_t bits = get(body, 13, 1);
  Path& path = path_of_packet({from, static_cast<uint16_t>(get(body, 0, 2))},
                              {to, static_cast<uint16_t>(get(body, 2, 2))});
  Arrival arrival{path.name, {}, {}};
  SegmentText& segment = arrival.segment;
  std::string flags;
  for (size_t bit = 0; bit < kFlagBits.size(); ++bit) {
    if ((bits >> bit & 1) != 0) flags += kFlagBits[bit];
  }
  for (const char flag : std::string_view("SFRPEWU.")) {
    if (flags.find(flag) != std::string::npos) segment.flags += flag;
  }
  const auto seq = static_cast<uint32_t>(get(body, 4, 4));
  if (segment.has_flag('S')) path.our_isn = seq;
  segment.seq = static_cast<int32_t>(seq - path.our_isn.value_or(0));
  if (!segment.has_flag('S') && path.our_isn.has_value()) {  // beyond 2^31 too
    const auto near = static_cast<uint64_t>(path.our_end);
    const uint32_t relative = seq - *path.our_isn;
    segment.seq = path.our_end + static_cast<int32_t>(relative - static_cast<uint32_t>(near));
  }
  if (segment.has_flag('.')) {
    const uint32_t relative = static_cast<uint32_t>(get(body, 8, 4)) - path.peer_isn;
    segment.ack = path.peer_end + static_cast<int32_t>(relative - static_cast<uint32_t>(path.peer_end));
  }
  if (segment.has_flag('S') && segment.has_flag('.'))
    path.peer_syn_text = static_cast<uint32_t>(*segment.ack - 1);
  segment.win = static_cast<uint32_t>(get(body, 14, 2));
  segment.urg = static_cast<uint32_t>(get(body, 18, 2));
  segment.tos = static_cast<uint32_t>(is_v4 ? get(packet, 1, 1) : get(packet, 0, 2) >> 4 & 0xff);
  segment.ttl = static_cast<uint32_t>(is_v4 ? get(packet, 8, 1) : get(packet, 7, 1));
  segment.port = path.service_port;
  const size_t header = (get(body, 12, 1) >> 4) * 4;
  const Octets payload(body.begin() + static_cast<std::ptrdiff_t>(header), body.end());
  segment.len = static_cast<uint32_t>(payload.size());
  segment.options = OptionCodec(*this, path, segment, Sender::kEngine)
                        .decode({body.begin() + 20, body.begin() + static_cast<std::ptrdiff_t>(header)});
  if (transport_checksum(from, to, kTcp, body) != 0) arrival.complaint = "its TCP checksum is wrong";
  if (arrival.complaint.empty()) arrival.complaint = check_payload(path, segment, payload);
  const int64_t end = *segment.seq + static_cast<int64_t>(payload.size()) + (segment.has_flag('S') ? 1 : 0) +
                      (segment.has_flag('F') ? 1 : 0);
  if (!segment.has_flag('R')) path.our_end = std::max(path.our_end, end);
  return arrival;
}

std::string Peer::check_payload(const Path& path, const SegmentText& segment, const Octets& payload) const {
  for (size_t i = 0; i < payload.size(); ++i) {
    const auto at =
        static_cast<uint32_t>(*segment.seq + (segment.has_flag('S') ? 1 : 0)) + static_cast<uint32_t>(i);
    uint64_t position = at;
    for (const Mapping& map : path.our_mappings) {
      const uint32_t begin = map.stream + path.our_syn_text;
      if (at >= begin && (map.length == 0 || at < begin + map.length)) position = map.data + at - map.stream;
    }
    if (payload[i] != stream_octet(position))
      return "octet " + std::to_string(i) + " of its payload is not octet " + std::to_string(position) +
             " of what was sent";
  }
  return {};
}

}  // namespace braid::segments
