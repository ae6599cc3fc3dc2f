#include "sim/middlebox/payload_rewriter.h"

#include <algorithm>

#include "wire/byte_order.h"
#include "wire/tcp_options.h"

namespace braid::sim {

void PayloadRewriter::find_places(TcpPacket& packet, Sender& sender) const {
  std::vector<Place>& places = sender.places;
  const std::span<const std::byte> payload = packet.payload();
  const auto* const pattern = reinterpret_cast<const std::byte*>(config_.find.data());
  auto at = payload.begin();
  while (places.size() < config_.most_times) {
    at = std::search(at, payload.end(), pattern, pattern + config_.find.size());
    if (at == payload.end()) return;
    const Seq32 begin = packet.seq() + static_cast<uint32_t>(at - payload.begin());
    at += static_cast<std::ptrdiff_t>(config_.find.size());
    const bool is_known = std::ranges::any_of(places, [&](const Place& p) { return p.begin == begin; });
    // Where what follows has passed already, with its numbers, another length could not be mended any more.
    const bool is_late = sender.is_known && begin.before(sender.next);
    const bool is_in_order = places.empty() || places.back().begin.before(begin);
    if (!is_known && is_in_order && (!is_late || growth() == 0)) places.push_back({begin});
  }
}

void PayloadRewriter::note_passed(const TcpPacket& packet, Sender& sender) {
  const Seq32 end = packet.seq() + packet.sequence_length();
  if (!sender.is_known || packet.flags().syn || end.after(sender.next)) sender.next = end;
  sender.is_known = true;
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
    // Of what was taken out without anything in its place nothing is left to be acknowledged.
    if (seq.before(begin) || (seq == begin && !config_.replace.empty())) break;
    // In the middle of what was put in: all of it is still to be acknowledged.
    if (seq.before(begin + static_cast<uint32_t>(config_.replace.size()))) return place.begin;
    shift += static_cast<uint32_t>(growth());
  }
  return seq - shift;
}

void PayloadRewriter::on_packet(Direction direction, Packet packet, MiddleboxOutput& output, Time /*now*/) {
  std::optional<TcpPacket> tcp = TcpPacket::open(packet, output.pool());
  if (!tcp) return output.emit(direction, std::move(packet));
  if (!tcp->is_intact()) return output.emit(direction, std::move(*tcp).close());
  const wire::TcpFlags flags = tcp->flags();
  Flow& flow = flows_.get(flow_of(*tcp, direction));
  if (flags.syn && !flags.ack) flow = {};
  Sender& sender = flow.senders[static_cast<size_t>(direction)];
  const std::vector<Place>& own = sender.places;
  const std::vector<Place>& other = flow.senders[static_cast<size_t>(opposite(direction))].places;
  const Seq32 seq = outward(tcp->seq(), own);
  bool has_changed = false;
  if (is_on(direction) && tcp->payload_size() > 0) {
    find_places(*tcp, sender);
    note_passed(*tcp, sender);
    has_changed = rewrite(*tcp, own);
  } else {
    note_passed(*tcp, sender);
  }
  // A segment that became empty asks for the acknowledgment of what it had, as a keep-alive does
  // (RFC 9293, 3.8.4): its receiver would not answer otherwise.
  const bool is_hollow = has_changed && tcp->sequence_length() == 0;
  tcp->set_seq(is_hollow ? seq - 1 : seq);
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
