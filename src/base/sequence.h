// Positions in sequence spaces. Positions and distances are different types, and so are the two spaces:
// what a wire number means is settled once, at the edge, by unwrapping it to a 64-bit offset.
#pragma once

#include <compare>
#include <cstdint>

namespace braid {

/// A 32-bit sequence number as it stands on the wire (RFC 9293, 3.4). It has no `<`: 32-bit sequence
/// space is circular, so "before" is only meaningful within half the space.
class Seq32 {
 public:
  constexpr Seq32() = default;
  constexpr explicit Seq32(uint32_t value) : value_(value) {}

  constexpr uint32_t value() const { return value_; }
  constexpr bool operator==(const Seq32&) const = default;
  constexpr Seq32 operator+(uint32_t n) const { return Seq32(value_ + n); }
  constexpr Seq32 operator-(uint32_t n) const { return Seq32(value_ - n); }
  /// Signed distance from `from` to this; positive when this comes later.
  constexpr int32_t distance_from(Seq32 from) const { return static_cast<int32_t>(value_ - from.value_); }
  constexpr bool before(Seq32 other) const { return distance_from(other) < 0; }
  constexpr bool after(Seq32 other) const { return distance_from(other) > 0; }
  /// start <= this < start + size, around the circle.
  constexpr bool in_window(Seq32 start, uint32_t size) const { return value_ - start.value_ < size; }

 private:
  uint32_t value_ = 0;
};

/// A position in a stream, counted from that stream's initial sequence number: offset 0 is the SYN
/// (or the MP_CAPABLE, at data level), offset 1 the first byte. 64 bits: it never wraps in practice, and
/// is a total order. The tag keeps subflow positions and data positions apart.
template <class Tag>
class Offset {
 public:
  constexpr Offset() = default;
  constexpr explicit Offset(uint64_t value) : value_(value) {}

  constexpr uint64_t value() const { return value_; }
  constexpr auto operator<=>(const Offset&) const = default;
  constexpr Offset operator+(uint64_t n) const { return Offset(value_ + n); }
  constexpr Offset operator-(uint64_t n) const { return Offset(value_ - n); }
  constexpr Offset& operator+=(uint64_t n) {
    value_ += n;
    return *this;
  }
  /// Distance; the caller knows that `other` is not later.
  constexpr uint64_t operator-(Offset other) const { return value_ - other.value_; }

 private:
  uint64_t value_ = 0;
};

/// Position in one subflow's byte stream. Equals the "relative subflow sequence number" of a DSS option
/// (RFC 8684, 3.3.1), whose low 32 bits are on the wire.
using StreamOffset = Offset<struct StreamTag>;
/// Position in the connection's data sequence space, relative to the initial data sequence number.
using DataOffset = Offset<struct DataTag>;

/// The 64-bit value nearest to `reference` whose low 32 bits are `low`. Below zero it wraps to a huge value,
/// which every window check refuses.
constexpr uint64_t unwrap32(uint32_t low, uint64_t reference) {
  return reference + static_cast<int64_t>(static_cast<int32_t>(low - static_cast<uint32_t>(reference)));
}

/// A wire number, given the initial sequence number and a position nearby (say rcv_nxt), as stream offset.
constexpr StreamOffset unwrap(Seq32 wire, Seq32 initial, StreamOffset reference) {
  return StreamOffset(unwrap32(wire.value() - initial.value(), reference.value()));
}
constexpr Seq32 wrap(StreamOffset offset, Seq32 initial) {
  return initial + static_cast<uint32_t>(offset.value());
}

}  // namespace braid
