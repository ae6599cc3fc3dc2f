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

uint64_t Router::AddressHash::operator()(const wire::IpAddress& address) const {
  uint64_t words[2];
  std::memcpy(words, address.bytes().data(), sizeof(words));
  const uint64_t hash = (words[0] ^ words[1] * 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9;
  return hash ^ (hash >> 32) ^ (hash >> 48);  // what differs in few addresses is in their last bytes
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

uint32_t Router::intern(Ports ports) {
  const auto found = std::ranges::find(choices_, ports);
  const auto index = static_cast<uint32_t>(found - choices_.begin());
  if (found == choices_.end()) choices_.push_back(std::move(ports));
  return index;
}

void Router::set_route(const Prefix& prefix, std::vector<uint32_t> ports) {
  forget_found();
  const uint32_t choice = intern(std::move(ports));
  const auto [first, last] = std::ranges::equal_range(routes_, prefix.bits, std::greater{},
                                                      [](const Route& r) { return r.prefix.bits; });
  const auto same =
      std::find_if(first, last, [&](const Route& route) { return route.prefix.network == prefix.network; });
  if (same != last) {
    same->choice = choice;
  } else {
    routes_.insert(last, {prefix, choice});
  }
}

void Router::set_label_route(uint8_t dscp, const Prefix& prefix, std::vector<uint32_t> ports) {
  const uint32_t choice = intern(std::move(ports));
  const auto before = std::ranges::find_if(
      label_routes_, [&](const LabelRoute& other) { return other.route.prefix.bits <= prefix.bits; });
  // The last one set goes first among equals.
  label_routes_.insert(before, {dscp, {prefix, choice}});
}

void Router::clear_routes() {
  routes_.clear();
  label_routes_.clear();
  choices_.clear();
  forget_found();
}

void Router::forget_found() {
  if (!found_.empty()) found_ = FlatMap<wire::IpAddress, uint32_t, AddressHash>{AddressHash{}};
}

const Router::Ports* Router::find_ports(const wire::IpAddress& destination) {
  const uint32_t* choice = found_.find(destination);
  if (choice == nullptr) {
    // Bounded: a scan of addresses must not fill the memory.
    constexpr size_t kMostRemembered = 1u << 16;
    if (found_.size() >= kMostRemembered) forget_found();
    const auto route = std::ranges::find_if(routes_, [&](const Route& candidate) {
      return wire::in_prefix(destination, candidate.prefix.network, candidate.prefix.bits);
    });
    found_.insert(destination, route == routes_.end() ? kNoRouteFound : route->choice);
    choice = found_.find(destination);
  }
  return *choice == kNoRouteFound ? nullptr : &choices_[*choice];
}

const Router::Ports* Router::find_label_ports(uint8_t dscp, const wire::IpAddress& destination) const {
  for (const LabelRoute& candidate : label_routes_) {
    const Prefix& prefix = candidate.route.prefix;
    if (candidate.dscp == dscp && wire::in_prefix(destination, prefix.network, prefix.bits))
      return &choices_[candidate.route.choice];
  }
  return nullptr;
}

void Router::forward(Packet packet, uint32_t from, Time now) {
  wire::IpHeader ip;
  if (wire::parse_ip_header(packet.bytes.bytes(), wire::IpContext::kPacket, ip).has_value()) {
    ++totals_.malformed;
    return;
  }
  const wire::Family family = ip.family;
  const Ports* ports = nullptr;
  if (!label_routes_.empty()) ports = find_label_ports(ip.traffic_class >> 2, ip.destination());
  if (ports == nullptr) ports = find_ports(ip.destination());
  if (ports == nullptr || ports->empty()) {
    ++totals_.no_route;
    return refuse(IcmpReason::kNoRoute, 0, packet, from, now);
  }
  const size_t choice = ports->size() == 1 ? 0 : flow_hash(packet.bytes.bytes(), salt_) % ports->size();
  Interface& out = *ports_[(*ports)[choice]];
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
