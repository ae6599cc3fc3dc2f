#include "wire/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>

#include "wire/byte_order.h"

namespace braid::wire {

std::optional<IpAddress> IpAddress::parse(std::string_view text) {
  // inet_pton wants an end mark. A NUL inside would end the text early, so it is refused here.
  std::array<char, INET6_ADDRSTRLEN> terminated;
  if (text.size() >= terminated.size() || text.find('\0') != std::string_view::npos) return std::nullopt;
  std::copy(text.begin(), text.end(), terminated.begin());
  terminated[text.size()] = '\0';
  std::array<uint8_t, 16> bytes{};
  if (text.find(':') != std::string_view::npos) {
    if (inet_pton(AF_INET6, terminated.data(), bytes.data()) != 1) return std::nullopt;
    return v6(bytes);
  }
  if (inet_pton(AF_INET, terminated.data(), bytes.data()) != 1) return std::nullopt;
  IpAddress address;
  address.bytes_ = bytes;
  return address;
}

bool IpAddress::is_unspecified() const { return bytes_ == std::array<uint8_t, 16>{}; }

bool IpAddress::is_loopback() const {
  static constexpr std::array<uint8_t, 16> kV6Loopback = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  return is_v4() ? bytes_[0] == 127 : bytes_ == kV6Loopback;
}

bool IpAddress::is_multicast() const {
  if (is_v6()) return bytes_[0] == 0xff;
  return (bytes_[0] & 0xf0) == 0xe0 || *this == v4(0xffffffff);
}

bool IpAddress::is_link_local() const {
  return is_v4() ? bytes_[0] == 169 && bytes_[1] == 254 : bytes_[0] == 0xfe && (bytes_[1] & 0xc0) == 0x80;
}

std::string IpAddress::to_string() const {
  std::array<char, INET6_ADDRSTRLEN> text;
  inet_ntop(is_v4() ? AF_INET : AF_INET6, bytes_.data(), text.data(), text.size());
  return text.data();
}

std::optional<Endpoint> Endpoint::parse(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view port_text = text.substr(colon + 1);
  const bool is_bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (is_bracketed) host = host.substr(1, host.size() - 2);
  const auto address = IpAddress::parse(host);
  if (!address || address->is_v6() != is_bracketed) return std::nullopt;
  uint16_t port = 0;
  const char* end = port_text.data() + port_text.size();
  const auto [stop, error] = std::from_chars(port_text.data(), end, port);
  if (error != std::errc() || stop != end) return std::nullopt;
  return Endpoint{*address, port};
}

std::string Endpoint::to_string() const {
  const std::string host = address.to_string();
  return (address.is_v6() ? "[" + host + "]:" : host + ":") + std::to_string(port);
}

bool in_prefix(const IpAddress& address, const IpAddress& network, int prefix_bits) {
  if (address.family() != network.family()) return false;
  const size_t bits = static_cast<size_t>(std::clamp(prefix_bits, 0, static_cast<int>(address.size()) * 8));
  const size_t whole = bits / 8;
  if (!std::equal(address.bytes().begin(), address.bytes().begin() + static_cast<ptrdiff_t>(whole),
                  network.bytes().begin())) {
    return false;
  }
  const unsigned rest = bits % 8;
  return rest == 0 || ((address.bytes()[whole] ^ network.bytes()[whole]) >> (8 - rest)) == 0;
}

namespace {

// Multiply and fold, the mixer of the wyhash family: both halves of the product depend on every bit of both
// factors, and the seed is in both factors of every step.
uint64_t mix(uint64_t a, uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

uint64_t load_little(const uint8_t* p) {
  uint64_t v;
  std::memcpy(&v, p, sizeof v);
  return std::endian::native == std::endian::little ? v : __builtin_bswap64(v);
}

constexpr uint64_t kSecretA = 0xa0761d6478bd642f;
constexpr uint64_t kSecretB = 0xe7037ed1a0b428db;

uint64_t absorb(uint64_t state, uint64_t first, uint64_t second) {
  return mix(first ^ kSecretA ^ state, second ^ kSecretB ^ std::rotl(state, 32));
}

}  // namespace

uint64_t hash(const Endpoint& endpoint, uint64_t seed) {
  const uint8_t* bytes = endpoint.address.bytes().data();
  const uint64_t tail = uint64_t{endpoint.port} << 8 | static_cast<uint64_t>(endpoint.address.family());
  const uint64_t state = absorb(seed, load_little(bytes), tail);
  return endpoint.address.is_v4() ? absorb(state, tail, seed) : absorb(state, load_little(bytes + 8), seed);
}

uint64_t hash(const FourTuple& tuple, uint64_t seed) {
  const auto& local = tuple.local;
  const auto& remote = tuple.remote;
  const uint64_t ports = uint64_t{local.port} << 24 | uint64_t{remote.port} << 8 |
                         static_cast<uint64_t>(remote.address.family()) << 1 |
                         static_cast<uint64_t>(local.address.family());
  const uint8_t* from = local.address.bytes().data();
  const uint8_t* to = remote.address.bytes().data();
  uint64_t state = absorb(seed, load_little(from), load_little(to));
  if (!local.address.is_v4() || !remote.address.is_v4()) {
    state = absorb(state, load_little(from + 8), load_little(to + 8));
  }
  return absorb(state, ports, seed);
}

}  // namespace braid::wire
