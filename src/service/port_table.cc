#include "service/port_table.h"

#include <algorithm>
#include <cerrno>

namespace braid::service {

namespace {

// Whether a connection could belong to both.
bool overlap(const wire::IpAddress& a, bool a_is_dual, const wire::IpAddress& b, bool b_is_dual) {
  if (a.family() == b.family()) return a.is_unspecified() || b.is_unspecified() || a == b;
  return a.is_v6() ? a_is_dual : b_is_dual;
}

constexpr wire::IpAddress kAnyV4 = wire::IpAddress::any(wire::Family::kV4);

}  // namespace

Binding::~Binding() {
  if (table_ != nullptr) table_->remove(*this);
}

PortTable::PortTable(Network network, uint16_t first_port, uint16_t last_port, uint16_t seed)
    : network_(std::move(network)),
      first_port_(first_port),
      last_port_(last_port),
      next_port_(static_cast<uint16_t>(first_port + seed % (last_port - first_port + 1))) {}

// Two sockets may share an endpoint if both said SO_REUSEPORT and belong to one user, or if both said
// SO_REUSEADDR and neither listens (socket(7)).
bool PortTable::conflicts(const Wish& wish) const {
  const auto [begin, end] = by_port_.equal_range(wish.local.port);
  return std::any_of(begin, end, [&](const auto& entry) {
    const Binding& other = *entry.second;
    if (!overlap(wish.local.address, wish.is_dual, other.local_.address, other.is_dual_)) return false;
    if (wish.reuses_port && other.reuses_port_ && wish.uid == other.uid_) return false;
    return !(wish.reuses_address && other.reuses_address_ && !other.is_listening_);
  });
}

int PortTable::claim(const Wish& wish) {
  if (!network_.claim) return 0;
  if (const int error = network_.claim(wish.local); error != 0) return error;
  if (!wish.is_dual) return 0;
  const int error = network_.claim({kAnyV4, wish.local.port});
  if (error != 0) network_.release(wish.local);
  return error;
}

tl::expected<std::shared_ptr<Binding>, int> PortTable::bind(const Wish& wish) {
  Wish chosen = wish;
  int error = 0;
  if (wish.local.port != 0) {
    error = conflicts(chosen) ? EADDRINUSE : claim(chosen);
  } else {
    chosen.reuses_address = chosen.reuses_port = false;
    error = EADDRINUSE;
    for (int tries = last_port_ - first_port_ + 1; tries > 0 && error == EADDRINUSE; --tries) {
      chosen.local.port = next_port_;
      next_port_ = next_port_ == last_port_ ? first_port_ : static_cast<uint16_t>(next_port_ + 1);
      if (!conflicts(chosen)) error = claim(chosen);
    }
  }
  if (error != 0) return tl::unexpected(error);
  auto binding = std::shared_ptr<Binding>(new Binding);
  binding->table_ = this;
  binding->local_ = chosen.local;
  binding->is_dual_ = wish.is_dual;
  binding->reuses_address_ = wish.reuses_address;
  binding->reuses_port_ = wish.reuses_port;
  binding->uid_ = wish.uid;
  by_port_.emplace(chosen.local.port, binding.get());
  return binding;
}

void PortTable::remove(Binding& binding) {
  const auto [begin, end] = by_port_.equal_range(binding.local_.port);
  by_port_.erase(std::find_if(begin, end, [&](const auto& entry) { return entry.second == &binding; }));
  if (!network_.release) return;
  network_.release(binding.local_);
  if (binding.is_dual_) network_.release({kAnyV4, binding.local_.port});
}

}  // namespace braid::service
