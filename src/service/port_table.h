// Which endpoints programs have bound, so that bind() can say EADDRINUSE: the Host knows only listeners.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <tl/expected.hpp>
#include <unordered_map>
#include <vector>

#include "base/time.h"
#include "wire/address.h"

namespace braid::service {

class PortTable;

/// A bound endpoint. Held by the socket that bound it, and by those it accepted; the port is free again when
/// the last is gone.
class Binding {
 public:
  ~Binding();
  Binding(const Binding&) = delete;
  Binding& operator=(const Binding&) = delete;

  const wire::Endpoint& local() const { return local_; }
  /// On the IPv6 wildcard and not IPv6 only: the same port of every IPv4 address, too.
  bool is_dual() const { return is_dual_; }
  bool reuses_port() const { return reuses_port_; }
  void set_listening(bool is_listening) { is_listening_ = is_listening; }
  /// Of connections that programs have closed, whose last packets are still under way.
  void set_in_use_until(Time until) { in_use_until_ = until; }
  Time in_use_until() const { return in_use_until_; }

 private:
  friend class PortTable;
  Binding() = default;
  PortTable* table_ = nullptr;
  wire::Endpoint local_;
  bool is_dual_ = false, reuses_address_ = false, reuses_port_ = false, is_listening_ = false;
  uint32_t uid_ = 0;
  Time in_use_until_{};
};

class PortTable {
 public:
  struct Wish {
    wire::Endpoint local;  // port 0: any that is free
    bool is_dual = false, reuses_address = false, reuses_port = false;
    uint32_t uid = 0;  // SO_REUSEPORT shares between sockets of one user
  };
  /// `claim`: asks the network for the port; 0, or an errno. `release`: gives it back.
  struct Network {
    std::function<int(const wire::Endpoint&)> claim;
    std::function<void(const wire::Endpoint&)> release;
  };

  /// The range that port 0 chooses from. `seed`: where in it the search begins.
  PortTable(Network network, uint16_t first_port, uint16_t last_port, uint16_t seed);

  /// The error is bind()'s errno.
  tl::expected<std::shared_ptr<Binding>, int> bind(const Wish& wish);

 private:
  friend class Binding;
  bool conflicts(const Wish& wish) const;
  int claim(const Wish& wish);
  void remove(Binding& binding);

  Network network_;
  uint16_t first_port_, last_port_, next_port_;
  std::unordered_multimap<uint16_t, Binding*> by_port_;
};

}  // namespace braid::service
