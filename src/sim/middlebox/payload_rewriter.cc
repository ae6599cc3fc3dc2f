#include "sim/middlebox/payload_rewriter.h"

#include <algorithm>

#include "wire/byte_order.h"
#include "wire/tcp_options.h"

namespace braid::sim {

void PayloadRewriter::find_places(TcpPacket& packet, std::vector<Place>& places) const {
  const std::span<const std::byte> payload = packet.payload();
  const auto* const pattern = reinterpret_cast<const std::byte*>(config_.find.data());
  auto at = payload.begin();
  while (places.size() < config_.most_times) {
    at = std::search(at, payload.end(), pattern, pattern + config_.find.size());
    if (at == payload.end()) return;
    const Seq32 begin = packet.seq() + static_cast<uint32_t>(at - payload.begin());
    at += static_cast<std::ptrdiff_t>(config_.find.size());
    const bool is_known = std::ranges::any_of(places, [&](const Place& p) { return p.begin == begin; });
    // What follows has been numbered already: a box that found more only now could not mend that.
    if (!is_known && (places.empty() || places.back().begin.before(begin))) places.push_back({begin});
  }
}

/// Where a known place lies whole in the segment; one that it cuts stays as it is.
bool PayloadRewriter::rewrite(TcpPacket& packet, const std::vector<Place>& places) const {
  const std::span<std::byte> payload = packet.payload();
  std::vector<std::byte> bytes;
  size_t done = 0;
  for (const Place& place : places) {
    const int64_t at = place.begin.distance_from(packet.seq());
    if (at < static_cast<int64_t>(done) ||
        at + static_cast<int64_t>(config_.find.size()) > static_cast<int64_t>(payload.size()))
      continue;
    bytes.insert(bytes.end(), payload.begin() + static_cast<std::ptrdiff_t>(done), payload.begin() + at);
    const auto* const other = reinterpret_cast<const std::byte*>(config_.replace.data());
    bytes.insert(bytes.end(), other, other + config_.replace.size());
    done = static_cast<size_t>(at) + config_.find.size();
  }
  if (done == 0) return false;
  bytes.insert(bytes.end(), payload.begin() + static_cast<std::ptrdiff_t>(done), payload.end());
  packet.set_payload(bytes);
  return true;
}

Seq32 PayloadRewriter::outward(Seq32 seq, const std::vector<Place>& places) const {
  uint32_t shift = 0;
  for (const Place& place : places) {
    if (!seq.before(place.begin + static_cast<uint32_t>(config_.find.size())))
      shift += static_cast<uint32_t>(growth());
  }
  return seq + shift;
}

Seq32 PayloadRewriter::inward(Seq32 seq, const std::vector<Place>& places) const {
  uint32_t shift = 0;
  for (const Place& place : places) {
    const Seq32 begin = place.begin + shift;
    if (!seq.after(begin)) break;
    // In the middle of what was put in: all of it is still to be acknowledged.
    if (seq.before(begin + static_cast<uint32_t>(config_.replace.size()))) return place.begin;
    shift += static_cast<uint32_t>(growth());
  }
  return seq - shift;
}

void PayloadRewriter::on_packet(Direction direction, Packet packet, MiddleboxOutput& output, Time /*now*/) {
  std::optional<TcpPacket> tcp = TcpPacket::open(packet, output.pool());
  if (!tcp) return output.emit(direction, std::move(packet));
  const wire::TcpFlags flags = tcp->flags();
  Flow& flow = flows_.get(flow_of(*tcp, direction));
  if (flags.syn && !flags.ack) flow = {};
  std::vector<Place>& own = flow.places[static_cast<size_t>(direction)];
  const std::vector<Place>& other = flow.places[static_cast<size_t>(opposite(direction))];
  bool has_changed = false;
  if (is_on(direction) && tcp->payload_size() > 0) {
    find_places(*tcp, own);
    const Seq32 seq = tcp->seq();
    has_changed = rewrite(*tcp, own);
    tcp->set_seq(outward(seq, own));
  } else if (!own.empty()) {
    tcp->set_seq(outward(tcp->seq(), own));
  }
  if (flags.ack && !other.empty()) {
    tcp->set_ack(inward(tcp->ack(), other));
    tcp->for_each_option([&](uint8_t kind, std::span<std::byte> option) {
      if (kind != wire::kOptionKindSack) return;
      for (size_t at = 2; at + 4 <= option.size(); at += 4)
        wire::store32(&option[at], inward(Seq32(wire::load32(&option[at])), other).value());
    });
  }
  ++(has_changed ? totals_.changed : totals_.passed);
  output.emit(direction, std::move(*tcp).close());
}

}  // namespace braid::sim
