// The kernel's links, addresses, routes and policy rules (rtnetlink), as values: to read, to change, and to
// hear of changes.
#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/file_descriptor.h"
#include "io/setup_error.h"
#include "wire/address.h"

struct nl_sock;

namespace braid::io {

struct Link {
  int index = 0;
  std::string name;
  std::string kind;  // "veth", "tun", "bridge" ...; empty for hardware
  uint32_t mtu = 0;
  bool is_up = false;  // administratively, and has a carrier
  bool is_loopback = false;
  bool is_enslaved = false;  // part of a bridge or a bond, which has the addresses
  bool is_point_to_point = false;
};

struct LinkAddress {
  int link_index = 0;
  wire::IpAddress address;
  int prefix_bits = 0;
  bool is_global = false;
  bool is_usable = false;     // not tentative, not a duplicate
  bool is_preferred = false;  // not deprecated, nor a second one of its network
  auto operator<=>(const LinkAddress&) const = default;
};

struct Prefix {
  wire::IpAddress network;
  int bits = 0;
  auto operator<=>(const Prefix&) const = default;
};

/// A unicast route with one next hop, or (link_index 0) an unreachable one.
struct KernelRoute {
  Prefix destination;
  uint32_t table = 0;
  uint32_t metric = 0;
  int link_index = 0;
  std::optional<wire::IpAddress> gateway;
  bool is_on_link = false;  // the gateway is taken to be on the link
  auto operator<=>(const KernelRoute&) const = default;
};

/// A policy rule: what matches is looked up in `table`. What is not set matches everything.
struct Rule {
  wire::Family family = wire::Family::kV4;
  uint32_t priority = 0;
  std::optional<Prefix> from, to;
  std::string input_device;
  bool is_tcp_only = false;
  uint16_t first_port = 0, last_port = 0;  // destination ports; 0: any
  uint32_t table = 0;
  auto operator<=>(const Rule&) const = default;
};

/// Blocking; each call takes some tens of microseconds. Changes return 0 or an errno.
class Netlink {
 public:
  static Setup<std::unique_ptr<Netlink>> open();
  ~Netlink();
  Netlink(const Netlink&) = delete;
  Netlink& operator=(const Netlink&) = delete;

  std::vector<Link> links();
  std::vector<LinkAddress> addresses();
  /// Unicast and unreachable ones of all tables; a multipath route appears as one for each next hop.
  std::vector<KernelRoute> routes(wire::Family family);
  /// Those that look up a table.
  std::vector<Rule> rules(wire::Family family);

  int set_link_up(int link_index);
  int set_mtu(int link_index, uint32_t mtu);
  int add_address(int link_index, const wire::IpAddress& address, int prefix_bits);
  int add_route(const KernelRoute& route);
  int remove_route(const KernelRoute& route);
  int add_rule(const Rule& rule);
  int remove_rule(const Rule& rule);

  /// Asks the kernel how it would reach `remote`: 0, or the errno connect() would give.
  int probe_route(const wire::IpAddress& remote);

 private:
  explicit Netlink(nl_sock* socket) : socket_(socket) {}
  nl_sock* socket_;
};

/// Readable when links, addresses, routes or policy rules changed.
class NetlinkMonitor {
 public:
  static Setup<NetlinkMonitor> open();
  int descriptor() const { return fd_.get(); }
  /// Takes the notices; what they say is read anew by the caller.
  void drain();

 private:
  explicit NetlinkMonitor(FileDescriptor fd) : fd_(std::move(fd)) {}
  FileDescriptor fd_;
};

}  // namespace braid::io
