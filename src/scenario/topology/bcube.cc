#include <fmt/format.h>

#include "scenario/topology/builder.h"

namespace braid::scenario {

namespace {

constexpr uint32_t kMostServers = 128;

/// A server's number is written with k+1 digits to the base n. A switch of level i joins the n servers that
/// differ in digit i only.
class BCube {
 public:
  BCube(Builder& build, uint32_t n, uint32_t levels) : build_(build), n_(n), levels_(levels) {
    for (uint32_t i = 0; i < levels; ++i) powers_.push_back(i == 0 ? 1 : powers_.back() * n);
    servers_ = powers_.back() * n;
  }
  void make();

 private:
  uint32_t digit(uint32_t number, uint32_t level) const { return number / powers_[level] % n_; }
  uint32_t with_digit(uint32_t number, uint32_t level, uint32_t value) const {
    return number - digit(number, level) * powers_[level] + value * powers_[level];
  }
  uint32_t level_towards(uint32_t here, uint32_t server, uint32_t last) const;
  void make_routes_to(uint32_t server, uint32_t last);

  std::string digits(uint32_t number) const {
    std::string text;
    for (uint32_t level = levels_; level-- > 0;) text += fmt::format("{:x}", digit(number, level));
    return text;
  }
  std::string host(uint32_t server) const { return "h" + digits(server); }
  /// A server's own router: BCube's servers forward for others.
  std::string relay(uint32_t server) const { return "relay" + digits(server); }
  std::string interface_link(uint32_t server, uint32_t level) const {
    return fmt::format("{}-{}", host(server), level);
  }
  /// Named by the server among its own whose digit is 0.
  std::string switch_of(uint32_t server, uint32_t level) const {
    return fmt::format("switch{}_{}", level, digits(with_digit(server, level, 0)));
  }
  std::string cable(uint32_t server, uint32_t level) const {
    return fmt::format("{}-{}", relay(server), switch_of(server, level));
  }

  Builder& build_;
  uint32_t n_, levels_;
  std::vector<uint32_t> powers_;  // of n
  uint32_t servers_;
};

void BCube::make() {
  for (uint32_t level = 0; level < levels_; ++level) {
    for (uint32_t server = 0; server < servers_; ++server) {
      if (digit(server, level) == 0) build_.router(switch_of(server, level));
    }
  }
  for (uint32_t server = 0; server < servers_; ++server) {
    build_.host(host(server));
    build_.router(relay(server));
    for (uint32_t level = 0; level < levels_; ++level) {
      build_.fast_link(host(server), relay(server), interface_link(server, level));
      build_.link(relay(server), switch_of(server, level), cable(server, level));
    }
  }
  for (uint32_t server = 0; server < servers_; ++server) {
    for (uint32_t level = 0; level < levels_; ++level) make_routes_to(server, level);
  }
}

/// Which digit a relay corrects next on the way to a server, over whose switch of level `last` a packet is
/// to arrive: the others first, downwards from the one below `last`, as BuildPathSet does. A packet where
/// that digit is right already has to leave it and come back (DCRouting through a neighbour), or it would
/// share the last link with another path. The paths of different `last` have no link in common.
uint32_t BCube::level_towards(uint32_t here, uint32_t server, uint32_t last) const {
  if (digit(here, last) == digit(server, last)) return last;
  for (uint32_t i = 1; i < levels_; ++i) {
    const uint32_t level = (last + levels_ - i) % levels_;
    if (digit(here, level) != digit(server, level)) return level;
  }
  return last;
}

/// To the server's address of that level, from all relays and switches.
void BCube::make_routes_to(uint32_t server, uint32_t last) {
  const std::string name = host(server), link = interface_link(server, last);
  for (uint32_t here = 0; here < servers_; ++here) {
    if (here == server) continue;  // its relay is joined to it
    build_.route({relay(here), name, link, {}, 0, {cable(here, level_towards(here, server, last))}});
  }
  for (uint32_t level = 0; level < levels_; ++level) {
    for (uint32_t first = 0; first < servers_; ++first) {
      if (digit(first, level) != 0) continue;
      uint32_t next = with_digit(first, level, digit(server, level));
      // It came to leave the right digit, not to correct it.
      if (level == last && next != server) next = with_digit(first, level, (digit(server, level) + 1) % n_);
      build_.route({switch_of(first, level), name, link, {}, 0, {cable(next, level)}});
    }
  }
}

}  // namespace

/// BCube(n, k) (Guo et al., SIGCOMM 2009): n^(k+1) servers of k+1 interfaces, and k+1 levels of n^k switches
/// of n ports. k+1 paths lead to each server, one to each of its addresses.
void make_bcube(config::TomlTable& table, Builder& build) {
  uint32_t n = 4, k = 1;
  table.read("n", n, 2, 16);
  table.read("k", k, 0, 6);
  uint64_t servers = 1;
  for (uint32_t i = 0; i <= k; ++i) servers *= n;
  if (servers > kMostServers)
    return table.complain(table.has("k") ? "k" : "n",
                          fmt::format("n^(k+1) is {} servers; {} at most", servers, kMostServers));
  BCube(build, n, k + 1).make();
}

}  // namespace braid::scenario
