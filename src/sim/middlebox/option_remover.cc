#include "sim/middlebox/option_remover.h"

#include "wire/mptcp_options.h"
#include "wire/tcp_options.h"

namespace braid::sim {

namespace {

std::string_view name_of(wire::MptcpSubtype subtype) {
  switch (subtype) {
    case wire::MptcpSubtype::kMpCapable:
      return "mp_capable";
    case wire::MptcpSubtype::kMpJoin:
      return "mp_join";
    case wire::MptcpSubtype::kDss:
      return "dss";
    case wire::MptcpSubtype::kAddAddr:
      return "add_addr";
    case wire::MptcpSubtype::kRemoveAddr:
      return "remove_addr";
    case wire::MptcpSubtype::kMpPrio:
      return "mp_prio";
    case wire::MptcpSubtype::kMpFail:
      return "mp_fail";
    case wire::MptcpSubtype::kMpFastclose:
      return "mp_fastclose";
    case wire::MptcpSubtype::kMpTcpRst:
      return "mp_tcprst";
  }
  return "mptcp";
}

std::string_view name_of(uint8_t kind) {
  switch (kind) {
    case wire::kOptionKindMss:
      return "mss";
    case wire::kOptionKindWindowScale:
      return "window_scale";
    case wire::kOptionKindSackPermitted:
      return "sack_permitted";
    case wire::kOptionKindSack:
      return "sack";
    case wire::kOptionKindTimestamps:
      return "timestamps";
    default:
      return "unknown";
  }
}

}  // namespace

const std::vector<std::string>& OptionRemover::removable_options() {
  static const std::vector<std::string> names = {
      "mptcp",      "mp_capable",   "mp_join",      "dss",       "add_addr",       "remove_addr",
      "mp_prio",    "mp_fail",      "mp_fastclose", "mp_tcprst", "sack_permitted", "sack",
      "timestamps", "window_scale", "mss",          "unknown"};
  return names;
}

const std::vector<std::string>& OptionRemover::segment_kinds() {
  static const std::vector<std::string> names = {"syn", "synack", "third_ack", "ack", "data"};
  return names;
}

OptionRemover::OptionRemover(const Config& config)
    : config_(config),
      options_(config.options.begin(), config.options.end()),
      segments_(config.segments.begin(), config.segments.end()) {}

/// The one that ends the handshake, or a copy of it: from where the SYN came, before any data.
bool OptionRemover::is_third_ack(const TcpPacket& packet, Direction direction, const Flow& flow) {
  const auto& own = flow.first[static_cast<size_t>(direction)];
  const auto& other = flow.first[static_cast<size_t>(opposite(direction))];
  return direction == flow.opener && packet.payload_size() == 0 && !packet.flags().fin &&
         own == packet.seq() && other == packet.ack();
}

bool OptionRemover::is_meant(const TcpPacket& packet, Direction direction, const Flow& flow) const {
  if (!(direction == Direction::kForward ? config_.forward : config_.backward)) return false;
  if (segments_.empty()) return true;
  const wire::TcpFlags flags = packet.flags();
  const char* const kind = flags.syn                   ? (flags.ack ? "synack" : "syn")
                           : packet.payload_size() > 0 ? "data"
                                                       : "ack";
  return segments_.contains(kind) ||
         (segments_.contains("third_ack") && !flags.syn && is_third_ack(packet, direction, flow));
}

bool OptionRemover::is_removed(uint8_t kind, std::span<const std::byte> option) const {
  if (kind != wire::kOptionKindMptcp) return options_.contains(std::string(name_of(kind)));
  if (options_.contains("mptcp") || options_.contains("unknown")) return true;
  if (option.size() < 3) return false;
  const auto subtype = static_cast<wire::MptcpSubtype>(static_cast<uint8_t>(option[2]) >> 4);
  return options_.contains(std::string(name_of(subtype)));
}

void OptionRemover::on_packet(Direction direction, Packet packet, MiddleboxOutput& output, Time now) {
  std::optional<TcpPacket> tcp = TcpPacket::open(packet, output.pool());
  if (!tcp) return output.emit(direction, std::move(packet));
  Flow& flow = flows_.get(flow_of(*tcp, direction));
  const wire::TcpFlags flags = tcp->flags();
  if (flow.since == kNever || (flags.syn && !flags.ack)) flow = {.since = now, .opener = direction};
  if (flags.syn) flow.first[static_cast<size_t>(direction)] = tcp->seq() + 1;
  const bool is_on = flow.segments++ >= config_.after_segments && now - flow.since >= config_.from;
  bool has_changed = false;
  if (is_on && is_meant(*tcp, direction, flow)) {
    tcp->for_each_option([&](uint8_t kind, std::span<std::byte> option) {
      if (!is_removed(kind, option)) return;
      erase_option(option);
      has_changed = true;
    });
  }
  ++(has_changed ? totals_.changed : totals_.passed);
  output.emit(direction, std::move(*tcp).close());
}

}  // namespace braid::sim
