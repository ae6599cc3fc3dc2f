// Addresses and ports of IPv4 and IPv6, as values.
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace braid::wire {

enum class Family : uint8_t { kV4, kV6 };

/// An IPv4 or IPv6 address. Totally ordered and hashable; default: 0.0.0.0.
class IpAddress {
 public:
  constexpr IpAddress() = default;
  static constexpr IpAddress v4(uint32_t host_order) {
    // Two whole words, because that is how a hash reads them right after.
    const bool is_little = std::endian::native == std::endian::little;
    const uint64_t word = is_little ? uint64_t{__builtin_bswap32(host_order)} : uint64_t{host_order} << 32;
    IpAddress a;
    a.bytes_ = std::bit_cast<std::array<uint8_t, 16>>(std::array<uint64_t, 2>{word, 0});
    return a;
  }
  static constexpr IpAddress v6(const std::array<uint8_t, 16>& bytes) {
    IpAddress a;
    a.family_ = Family::kV6;
    a.bytes_ = bytes;
    return a;
  }
  static constexpr IpAddress any(Family family) { return family == Family::kV4 ? v4(0) : v6({}); }
  /// "192.0.2.1", "2001:db8::1"; nothing for anything else. An IPv4-mapped IPv6 address stays IPv6.
  static std::optional<IpAddress> parse(std::string_view text);

  constexpr Family family() const { return family_; }
  constexpr bool is_v4() const { return family_ == Family::kV4; }
  constexpr bool is_v6() const { return family_ == Family::kV6; }
  bool is_unspecified() const;
  bool is_loopback() const;
  bool is_multicast() const;  ///< also IPv4 broadcast
  bool is_link_local() const;
  /// Network order; 4 or 16 bytes count.
  constexpr const std::array<uint8_t, 16>& bytes() const { return bytes_; }
  constexpr size_t size() const { return is_v4() ? 4 : 16; }
  std::string to_string() const;

  constexpr auto operator<=>(const IpAddress&) const = default;

 private:
  Family family_ = Family::kV4;
  std::array<uint8_t, 16> bytes_{};
};

/// Address and port. Text form: "192.0.2.1:80", "[2001:db8::1]:80".
struct Endpoint {
  IpAddress address;
  uint16_t port = 0;

  static std::optional<Endpoint> parse(std::string_view text);
  std::string to_string() const;
  constexpr auto operator<=>(const Endpoint&) const = default;
};

/// The two ends of a subflow, ours first.
struct FourTuple {
  Endpoint local;
  Endpoint remote;
  constexpr auto operator<=>(const FourTuple&) const = default;
};

/// Whether `address` lies in network/prefix_bits.
bool in_prefix(const IpAddress& address, const IpAddress& network, int prefix_bits);

/// For hash tables (seeded by the table's owner, against crafted collisions). Same on every machine.
uint64_t hash(const Endpoint& endpoint, uint64_t seed);
uint64_t hash(const FourTuple& tuple, uint64_t seed);

}  // namespace braid::wire
