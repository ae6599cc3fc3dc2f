#include "sim/middlebox/retransmission_normaliser.h"

#include <algorithm>
#include <cstring>

namespace braid::sim {

/// True: other bytes were there.
bool RetransmissionNormaliser::reassert(std::span<std::byte> payload, uint64_t begin, const Sender& sender) {
  const uint64_t end = begin + payload.size();
  auto kept = sender.kept.upper_bound(begin);
  if (kept != sender.kept.begin()) --kept;
  bool has_changed = false;
  for (; kept != sender.kept.end() && kept->first < end; ++kept) {
    const uint64_t from = std::max(kept->first, begin);
    const uint64_t to = std::min(kept->first + kept->second.size(), end);
    if (from >= to) continue;
    const std::byte* const first = kept->second.data() + (from - kept->first);
    std::byte* const there = payload.data() + (from - begin);
    if (std::memcmp(there, first, to - from) == 0) continue;
    std::memcpy(there, first, to - from);
    has_changed = true;
  }
  return has_changed;
}

/// What is not there yet, between what is: data come in any order.
void RetransmissionNormaliser::keep(std::span<const std::byte> payload, uint64_t begin,
                                    Sender& sender) const {
  const uint64_t end = begin + payload.size();
  auto next = sender.kept.upper_bound(begin);
  uint64_t at = begin;
  if (next != sender.kept.begin()) {
    const auto& [first, bytes] = *std::prev(next);
    at = std::max(at, first + bytes.size());
  }
  while (at < end) {
    const uint64_t to = next == sender.kept.end() ? end : std::min(end, next->first);
    if (at < to) {
      const std::span<const std::byte> part = payload.subspan(at - begin, to - at);
      sender.kept.emplace_hint(next, at, Bytes(part.begin(), part.end()));
      sender.bytes += part.size();
    }
    if (next == sender.kept.end()) break;
    at = next->first + next->second.size();
    ++next;
  }
  while (sender.bytes > most_bytes_) {
    sender.bytes -= sender.kept.begin()->second.size();
    sender.kept.erase(sender.kept.begin());
  }
}

void RetransmissionNormaliser::forget_acked(Sender& sender, Seq32 ack) {
  if (!sender.is_known) return;
  const uint64_t end = sender.unwrap(ack);
  while (!sender.kept.empty()) {
    const auto first = sender.kept.begin();
    if (first->first + first->second.size() > end) return;
    sender.bytes -= first->second.size();
    sender.kept.erase(first);
  }
}

void RetransmissionNormaliser::on_packet(Direction direction, Packet packet, MiddleboxOutput& output,
                                         Time /*now*/) {
  std::optional<TcpPacket> tcp = TcpPacket::open(packet, output.pool());
  if (!tcp) return output.emit(direction, std::move(packet));
  if (!tcp->is_intact()) return output.emit(direction, std::move(*tcp).close());
  const wire::TcpFlags flags = tcp->flags();
  Flow& flow = flows_.get(flow_of(*tcp, direction));
  Sender& own = flow.senders[static_cast<size_t>(direction)];
  if (flags.syn || !own.is_known) {
    own = {};
    own.is_known = true;
    own.initial = tcp->seq();
  }
  if (flags.ack) forget_acked(flow.senders[static_cast<size_t>(opposite(direction))], tcp->ack());
  bool has_changed = false;
  if (tcp->payload_size() > 0 && !flags.syn) {
    const uint64_t begin = own.unwrap(tcp->seq());
    own.highest = std::max(own.highest, begin + tcp->payload_size());
    has_changed = reassert(tcp->payload(), begin, own);
    keep(tcp->payload(), begin, own);
  }
  ++(has_changed ? totals_.changed : totals_.passed);
  output.emit(direction, std::move(*tcp).close());
}

}  // namespace braid::sim
