// For tests: what boxes on the way do to Multipath TCP (NSDI 2012, 4.1; RFC 8684, 3.7 and 6).
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#include "mptcp/testing/test_network.h"

namespace braid::mptcp::testing {

using Segment = wire::OutgoingSegment;
using Which = std::function<bool(Direction, const Segment&)>;

inline bool is_syn(Direction, const Segment& s) { return s.flags.syn && !s.flags.ack; }
inline bool is_syn_ack(Direction, const Segment& s) { return s.flags.syn && s.flags.ack; }
inline bool is_not_syn(Direction, const Segment& s) { return !s.flags.syn; }
inline bool to_server(Direction d, const Segment&) { return d == Direction::kToServer; }
inline bool to_client(Direction d, const Segment&) { return d == Direction::kToClient; }
inline bool has_payload(Direction, const Segment& s) { return s.payload_size() > 0; }
inline Which both(Which a, Which b) {
  return [=](Direction d, const Segment& s) { return a(d, s) && b(d, s); };
}

template <class Option>
bool erase_option(Segment& segment) {
  wire::MptcpOptions kept;
  for (const wire::MptcpOption& option : segment.options.mptcp) {
    if (!std::holds_alternative<Option>(option)) kept.push_back(option);
  }
  const bool did = kept.size() != segment.options.mptcp.size();
  segment.options.mptcp = kept;
  return did;
}
template <class Option>
Option* find_option(Segment& segment) {
  for (wire::MptcpOption& option : segment.options.mptcp) {
    if (auto* found = std::get_if<Option>(&option)) return found;
  }
  return nullptr;
}

/// Takes all MPTCP options out.
inline TestNetwork::Middlebox strip(Which which) {
  return [=](size_t, Direction direction, Segment& segment) {
    if (which(direction, segment)) segment.options.mptcp.clear();
    return true;
  };
}
template <class Option>
TestNetwork::Middlebox strip_option(Which which) {
  return [=](size_t, Direction direction, Segment& segment) {
    if (which(direction, segment)) erase_option<Option>(segment);
    return true;
  };
}
/// Loses the first `count` of them, or all.
inline TestNetwork::Middlebox lose(Which which, int count = -1) {
  return [=, left = count](size_t, Direction direction, Segment& segment) mutable {
    if (left == 0 || !which(direction, segment)) return true;
    if (left > 0) --left;
    return false;
  };
}
template <class Option>
TestNetwork::Middlebox edit(Which which, std::function<void(Option&)> change) {
  return [=](size_t, Direction direction, Segment& segment) {
    if (!which(direction, segment)) return true;
    if (auto* option = find_option<Option>(segment)) change(*option);
    return true;
  };
}
inline TestNetwork::Middlebox on_path(size_t wanted, TestNetwork::Middlebox box) {
  return [=](size_t path, Direction direction, Segment& segment) mutable {
    return path != wanted || box(path, direction, segment);
  };
}

/// Coalesces two data segments in a row, now and then; the second's options are lost.
inline TestNetwork::Middlebox coalesce(uint64_t seed, uint64_t one_in) {
  return [random = SeededRandom(seed), held = std::array<std::optional<Segment>, 2>{}, one_in](
             size_t, Direction direction, Segment& segment) mutable {
    auto& before = held[static_cast<size_t>(direction)];
    if (before.has_value()) {
      const bool is_next = segment.tuple == before->tuple &&
                           segment.seq == before->seq + static_cast<uint32_t>(before->payload_size());
      Segment first = *std::exchange(before, std::nullopt);
      if (is_next && segment.payload_size() > 0) {
        for (const Slice& slice : segment.payload) first.payload.push_back(slice);
        first.flags.fin = segment.flags.fin;
        segment = first;
      }
      return true;
    }
    if (segment.payload_size() == 0 || segment.payload.size() > 2 || random.below(one_in) != 0) return true;
    before = segment;
    return false;
  };
}

/// Changes octets of the payload, as an application-level gateway does; lengths stay.
inline TestNetwork::Middlebox rewrite_payload(ChunkPool& pool, Which which, int count = -1) {
  return [&pool, which, left = count](size_t, Direction direction, Segment& segment) mutable {
    if (left == 0 || segment.payload.empty() || !which(direction, segment)) return true;
    if (left > 0) --left;
    Slice copy = copy_to_slice(pool, segment.payload[0].bytes());
    // Always more, never less: the changes to two segments of one mapping must not make up for each other.
    auto* bytes = const_cast<std::byte*>(copy.data());
    size_t at = copy.size() / 2;
    while (at + 1 < copy.size() && (bytes[at] & std::byte{0x20}) != std::byte{0}) ++at;
    bytes[at] ^= std::byte{0x20};
    segment.payload[0] = copy;
    return true;
  };
}

/// A firewall that makes initial sequence numbers random (10 % of paths did).
inline TestNetwork::Middlebox rewrite_sequence_numbers(uint32_t to_server_shift, uint32_t to_client_shift) {
  return [=](size_t, Direction direction, Segment& s) {
    const bool forward = direction == Direction::kToServer;
    s.seq = s.seq + (forward ? to_server_shift : to_client_shift);
    const uint32_t back = forward ? to_client_shift : to_server_shift;
    if (s.flags.ack) s.ack = s.ack - back;
    for (auto& block : s.options.sack) block = {block.begin - back, block.end - back};
    return true;
  };
}

}  // namespace braid::mptcp::testing
