#include "sim/middlebox/nat.h"

#include <vector>

#include "sim/middlebox/segments.h"

namespace braid::sim {

Nat::Nat(const Config& config, uint64_t seed) : config_(config), random_(seed) {}

void Nat::forget_all() {
  by_inside_.clear();
  by_outside_.clear();
}

bool Nat::is_stale(const Mapping& mapping, Time now) const {
  const bool is_transitory = !mapping.is_established || mapping.is_ending;
  return now - mapping.used > (is_transitory ? config_.transitory_timeout : config_.idle_timeout);
}

void Nat::erase(const Key& inside) {
  const auto found = by_inside_.find(inside);
  if (found == by_inside_.end()) return;
  by_outside_.erase({found->second.outside, found->second.inside.remote});
  by_inside_.erase(found);
}

void Nat::make_room(Time now) {
  if (by_inside_.size() < kMostMappings) return;
  std::vector<Key> stale;
  auto oldest = by_inside_.begin();
  for (auto at = by_inside_.begin(); at != by_inside_.end(); ++at) {
    if (is_stale(at->second, now)) stale.push_back(at->first);
    if (at->second.used < oldest->second.used) oldest = at;
  }
  if (stale.empty()) stale.push_back(oldest->first);
  for (const Key& key : stale) erase(key);
}

/// A few at random, then one after the other: ports are many more than flows to one peer.
std::optional<uint16_t> Nat::choose_port(const wire::IpAddress& outside, const wire::Endpoint& peer,
                                         Time now) {
  const uint32_t count = config_.last_port - config_.first_port + 1u;
  const auto start = static_cast<uint32_t>(random_.below(count));
  for (uint32_t i = 0; i < count; ++i) {
    const auto port = static_cast<uint16_t>(config_.first_port + (start + i) % count);
    const auto taken = by_outside_.find({{outside, port}, peer});
    if (taken == by_outside_.end()) return port;
    if (is_stale(by_inside_.at(taken->second), now)) {
      erase(Key(taken->second));
      return port;
    }
  }
  return std::nullopt;
}

Nat::Mapping* Nat::map_out(const TcpPacket& packet, Time now) {
  const Key key{packet.source(), packet.destination()};
  if (const auto found = by_inside_.find(key); found != by_inside_.end()) {
    if (!is_stale(found->second, now)) return &found->second;
    erase(key);
  }
  // Without a SYN there is nothing to begin with: a box that restarted, or forgot.
  if (!packet.flags().syn) return nullptr;
  make_room(now);
  const auto& outside_address = key.local.address.is_v4() ? config_.outside_v4 : config_.outside_v6;
  const wire::IpAddress outside = outside_address.value_or(key.local.address);
  const std::optional<uint16_t> port = choose_port(outside, key.remote, now);
  if (!port) return nullptr;
  Mapping mapping;
  mapping.inside = key;
  mapping.outside = {outside, *port};
  by_outside_[{mapping.outside, key.remote}] = key;
  return &by_inside_.insert_or_assign(key, mapping).first->second;
}

Nat::Mapping* Nat::map_in(const TcpPacket& packet, Time now) {
  const auto found = by_outside_.find({packet.destination(), packet.source()});
  if (found == by_outside_.end()) return nullptr;
  Mapping& mapping = by_inside_.at(found->second);
  if (!is_stale(mapping, now)) return &mapping;
  erase(Key(found->second));
  return nullptr;
}

void Nat::note(Mapping& mapping, const TcpPacket& packet, Direction direction, Time now) {
  const wire::TcpFlags flags = packet.flags();
  mapping.used = now;
  if (flags.syn && !flags.ack) mapping.is_established = mapping.is_ending = false;
  if (direction == Direction::kBackward && flags.ack) mapping.is_established = true;
  if (flags.fin || flags.rst) mapping.is_ending = true;
}

void Nat::refuse(const TcpPacket& packet, Direction direction, MiddleboxOutput& output) {
  ++totals_.dropped;
  if (!config_.answers_unknown || !packet.is_intact()) return;
  if (std::optional<Packet> reset = make_reset(packet, output.pool())) {
    ++totals_.made;
    output.emit(opposite(direction), std::move(*reset));
  }
}

/// About a segment that was translated: what it quotes is put back as it was, or its receiver would not know
/// it (RFC 5508, 4.2). Mappings live no longer for it, and what has none is dropped.
void Nat::pass_error(Direction direction, IcmpPacket error, MiddleboxOutput& output, Time now) {
  const wire::FourTuple quoted = error.quoted();
  const bool is_inward = direction == Direction::kBackward;
  const Mapping* mapping = nullptr;
  if (is_inward) {
    const auto found = by_outside_.find(quoted);
    if (found != by_outside_.end()) mapping = &by_inside_.at(found->second);
  } else {
    const auto found = by_inside_.find({quoted.remote, quoted.local});
    if (found != by_inside_.end()) mapping = &found->second;
  }
  if (mapping == nullptr || is_stale(*mapping, now)) {
    ++totals_.dropped;
    return;
  }
  if (is_inward) {
    error.set_quoted_source(mapping->inside.local);
    error.set_destination(mapping->inside.local.address);
  } else {
    error.set_quoted_destination(mapping->outside);
    error.set_source(mapping->outside.address);
  }
  ++totals_.changed;
  output.emit(direction, std::move(error).close());
}

void Nat::on_packet(Direction direction, Packet packet, MiddleboxOutput& output, Time now) {
  std::optional<TcpPacket> tcp = TcpPacket::open(packet, output.pool());
  if (!tcp) {
    if (std::optional<IcmpPacket> error = IcmpPacket::open(packet, output.pool()))
      return pass_error(direction, std::move(*error), output, now);
    ++totals_.passed;
    return output.emit(direction, std::move(packet));
  }
  Mapping* mapping = direction == Direction::kForward ? map_out(*tcp, now) : map_in(*tcp, now);
  if (mapping == nullptr) return refuse(*tcp, direction, output);
  note(*mapping, *tcp, direction, now);
  if (direction == Direction::kForward) {
    tcp->set_source(mapping->outside);
  } else {
    tcp->set_destination(mapping->inside.local);
  }
  ++totals_.changed;
  output.emit(direction, std::move(*tcp).close());
}

}  // namespace braid::sim
