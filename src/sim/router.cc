#include "sim/router.h"

#include <algorithm>
#include <cstring>

#include "sim/flow_hash.h"
#include "sim/icmp_error.h"
#include "wire/byte_order.h"
#include "wire/ip_header.h"

namespace braid::sim {

namespace {

constexpr uint32_t kNoRouteFound = UINT32_MAX;

/// One hop less; false: it was the last. The IPv4 checksum is mended by the difference (RFC 1624).
bool count_hop(Packet& packet, wire::Family family, ChunkPool& pool) {
  const size_t at = family == wire::Family::kV4 ? 8 : 7;
  if (wire::load8(packet.bytes.data() + at) <= 1) return false;
  std::byte* const bytes = writable_bytes(packet, pool);
  wire::store8(bytes + at, wire::load8(bytes + at) - 1u);
  if (family == wire::Family::kV4) {
    const uint32_t sum = wire::load16(bytes + 10) + 0x0100u;
    wire::store16(bytes + 10, static_cast<uint16_t>(sum + (sum >> 16)));
  }
  return true;
}

}  // namespace

class Router::Interface final : public Port {
 public:
  Interface(Router& router, uint32_t number, Link& link, Direction direction)
      : router_(router), number_(number), link_(link), direction_(direction) {}
  void receive(Packet packet, Time now) override { router_.forward(std::move(packet), number_, now); }
  void send(Packet packet, Time now) { link_.send(direction_, std::move(packet), now); }
  uint32_t mtu() const { return link_.channel(direction_).config().mtu; }

 private:
  Router& router_;
  uint32_t number_;
  Link& link_;
  Direction direction_;
};

size_t Router::AddressHash::operator()(const wire::IpAddress& address) const {
  uint64_t words[2];
  std::memcpy(words, address.bytes().data(), sizeof(words));
  return static_cast<size_t>((words[0] ^ words[1] * 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9 >> 17);
}

Router::Router(std::string name, ChunkPool& pool, uint64_t seed)
    : name_(std::move(name)), pool_(pool), salt_(seed) {}

Router::~Router() = default;

void Router::set_address(const wire::IpAddress& address) {
  (address.is_v4() ? v4_ : v6_) = address;
  (address.is_v4() ? has_v4_ : has_v6_) = true;
}

uint32_t Router::add_port(Link& link, Direction direction) {
  const auto number = static_cast<uint32_t>(ports_.size());
  ports_.push_back(std::make_unique<Interface>(*this, number, link, direction));
  return number;
}

Port& Router::port(uint32_t number) { return *ports_.at(number); }

void Router::set_route(const Prefix& prefix, std::vector<uint32_t> ports) {
  found_.clear();
  std::erase_if(routes_, [&](const Route& route) {
    return route.prefix.bits == prefix.bits && route.prefix.network == prefix.network;
  });
  const auto shorter = [](int bits, const Route& route) { return bits > route.prefix.bits; };
  routes_.insert(std::upper_bound(routes_.begin(), routes_.end(), prefix.bits, shorter),
                 {prefix, std::move(ports)});
}

void Router::clear_routes() {
  routes_.clear();
  found_.clear();
}

const Router::Route* Router::find_route(const wire::IpAddress& destination) {
  // Bounded: a scan of addresses must not fill the memory.
  constexpr size_t kMostRemembered = 1u << 16;
  if (found_.size() >= kMostRemembered) found_.clear();
  const auto [entry, is_new] = found_.try_emplace(destination, kNoRouteFound);
  if (is_new) {
    for (size_t i = 0; i < routes_.size(); ++i) {
      if (!wire::in_prefix(destination, routes_[i].prefix.network, routes_[i].prefix.bits)) continue;
      entry->second = static_cast<uint32_t>(i);
      break;
    }
  }
  return entry->second == kNoRouteFound ? nullptr : &routes_[entry->second];
}

void Router::forward(Packet packet, uint32_t from, Time now) {
  wire::IpHeader ip;
  if (wire::parse_ip_header(packet.bytes.bytes(), wire::IpContext::kPacket, ip).has_value()) {
    ++totals_.malformed;
    return;
  }
  const wire::Family family = ip.family;
  const Route* route = find_route(ip.destination());
  if (route == nullptr || route->ports.empty()) {
    ++totals_.no_route;
    return refuse(IcmpReason::kNoRoute, 0, packet, from, now);
  }
  const size_t choice =
      route->ports.size() == 1 ? 0 : flow_hash(packet.bytes.bytes(), salt_) % route->ports.size();
  Interface& out = *ports_[route->ports[choice]];
  if (!count_hop(packet, family, pool_)) {
    ++totals_.expired;
    return refuse(IcmpReason::kTimeExceeded, 0, packet, from, now);
  }
  if (packet.bytes.size() > out.mtu()) {
    ++totals_.too_big;
    return refuse(IcmpReason::kPacketTooBig, out.mtu(), packet, from, now);
  }
  ++totals_.forwarded;
  out.send(std::move(packet), now);
}

void Router::refuse(IcmpReason reason, uint32_t mtu, const Packet& packet, uint32_t from, Time now) {
  const bool is_v4 = (static_cast<unsigned>(packet.bytes.data()[0]) >> 4) == 4;
  if (!(is_v4 ? has_v4_ : has_v6_)) return;
  if (auto error = make_icmp_error(reason, mtu, packet, is_v4 ? v4_ : v6_, pool_)) {
    ports_[from]->send(std::move(*error), now);
  }
}

}  // namespace braid::sim
