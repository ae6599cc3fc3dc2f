#include "io/netlink.h"

#include <fmt/format.h>
#include <linux/fib_rules.h>
#include <linux/if.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <netlink/route/rule.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace braid::io {

namespace {

template <auto kFree>
struct FreeWith {
  void operator()(auto* p) const { kFree(p); }
};
template <class T, auto kFree>
using Owned = std::unique_ptr<T, FreeWith<kFree>>;
using Address = Owned<nl_addr, nl_addr_put>;
using Cache = Owned<nl_cache, nl_cache_free>;
using Message = Owned<nl_msg, nlmsg_free>;
using LinkObject = Owned<rtnl_link, rtnl_link_put>;
using AddressObject = Owned<rtnl_addr, rtnl_addr_put>;
using RouteObject = Owned<rtnl_route, rtnl_route_put>;
using RuleObject = Owned<rtnl_rule, rtnl_rule_put>;

int af_of(wire::Family family) { return family == wire::Family::kV4 ? AF_INET : AF_INET6; }

Address to_nl(const wire::IpAddress& address, int bits) {
  Address result(nl_addr_build(af_of(address.family()), address.bytes().data(), address.size()));
  nl_addr_set_prefixlen(result.get(), bits);
  return result;
}

std::optional<wire::IpAddress> from_nl(nl_addr* address) {
  if (address == nullptr) return {};
  const auto* bytes = static_cast<const uint8_t*>(nl_addr_get_binary_addr(address));
  const size_t size = nl_addr_get_len(address);
  if (nl_addr_get_family(address) == AF_INET) {
    if (size != 4) return wire::IpAddress::v4(0);
    return wire::IpAddress::v4(uint32_t{bytes[0]} << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3]);
  }
  if (nl_addr_get_family(address) != AF_INET6) return {};
  std::array<uint8_t, 16> v6{};
  if (size == v6.size()) std::memcpy(v6.data(), bytes, size);
  return wire::IpAddress::v6(v6);
}

std::optional<Prefix> prefix_from_nl(nl_addr* address) {
  const auto network = from_nl(address);
  if (!network) return {};
  return Prefix{*network, static_cast<int>(nl_addr_get_prefixlen(address))};
}

// Walks a freshly read cache.
template <class Object, class Visit>
void for_each(nl_cache* cache, Visit&& visit) {
  for (nl_object* o = nl_cache_get_first(cache); o != nullptr; o = nl_cache_get_next(o)) {
    visit(reinterpret_cast<Object*>(o));
  }
}

// Not IFF_RUNNING: the kernel sets that up to a second after the carrier is there.
bool is_usable(unsigned flags) {
  return (flags & IFF_UP) != 0 && (flags & IFF_LOWER_UP) != 0 && (flags & IFF_DORMANT) == 0;
}

RuleObject build_rule(const Rule& rule) {
  RuleObject object(rtnl_rule_alloc());
  rtnl_rule_set_family(object.get(), af_of(rule.family));
  rtnl_rule_set_prio(object.get(), rule.priority);
  rtnl_rule_set_table(object.get(), rule.table);
  rtnl_rule_set_action(object.get(), FR_ACT_TO_TBL);
  if (rule.from) rtnl_rule_set_src(object.get(), to_nl(rule.from->network, rule.from->bits).get());
  if (rule.to) rtnl_rule_set_dst(object.get(), to_nl(rule.to->network, rule.to->bits).get());
  if (!rule.input_device.empty()) rtnl_rule_set_iif(object.get(), rule.input_device.c_str());
  if (rule.is_tcp_only) rtnl_rule_set_ipproto(object.get(), IPPROTO_TCP);
  if (rule.first_port != 0) rtnl_rule_set_dport_range(object.get(), rule.first_port, rule.last_port);
  return object;
}

Rule read_rule(rtnl_rule* object, wire::Family family) {
  Rule rule;
  rule.family = family;
  rule.priority = rtnl_rule_get_prio(object);
  rule.table = rtnl_rule_get_table(object);
  rule.from = prefix_from_nl(rtnl_rule_get_src(object));
  rule.to = prefix_from_nl(rtnl_rule_get_dst(object));
  if (const char* device = rtnl_rule_get_iif(object)) rule.input_device = device;
  uint8_t protocol = 0;
  rule.is_tcp_only = rtnl_rule_get_ipproto(object, &protocol) == 0 && protocol == IPPROTO_TCP;
  uint16_t first = 0, last = 0;
  if (rtnl_rule_get_dport(object, &first, &last) == 0) rule.first_port = first, rule.last_port = last;
  return rule;
}

RouteObject build_route(const KernelRoute& route) {
  RouteObject object(rtnl_route_alloc());
  const wire::Family family = route.destination.network.family();
  rtnl_route_set_family(object.get(), static_cast<uint8_t>(af_of(family)));
  rtnl_route_set_dst(object.get(), to_nl(route.destination.network, route.destination.bits).get());
  rtnl_route_set_table(object.get(), route.table);
  rtnl_route_set_priority(object.get(), route.metric);
  rtnl_route_set_protocol(object.get(), RTPROT_STATIC);
  if (route.link_index == 0) {
    rtnl_route_set_type(object.get(), RTN_UNREACHABLE);
    rtnl_route_set_scope(object.get(), RT_SCOPE_UNIVERSE);
    return object;
  }
  rtnl_route_set_type(object.get(), RTN_UNICAST);
  rtnl_route_set_scope(object.get(),
                       route.gateway || family == wire::Family::kV6 ? RT_SCOPE_UNIVERSE : RT_SCOPE_LINK);
  rtnl_nexthop* hop = rtnl_route_nh_alloc();
  rtnl_route_nh_set_ifindex(hop, route.link_index);
  if (route.gateway) {
    const int bits = route.gateway->is_v4() ? 32 : 128;
    // A next hop of the other family goes in RTA_VIA (RFC 8950 style routes).
    if (route.gateway->family() == family) {
      rtnl_route_nh_set_gateway(hop, to_nl(*route.gateway, bits).get());
    } else {
      rtnl_route_nh_set_via(hop, to_nl(*route.gateway, bits).get());
    }
  }
  if (route.is_on_link) rtnl_route_nh_set_flags(hop, RTNH_F_ONLINK);
  rtnl_route_add_nexthop(object.get(), hop);
  return object;
}

void read_route(rtnl_route* object, wire::Family family, std::vector<KernelRoute>& out) {
  const uint8_t type = rtnl_route_get_type(object);
  if (type != RTN_UNICAST && type != RTN_UNREACHABLE) return;
  if ((rtnl_route_get_flags(object) & RTM_F_CLONED) != 0) return;
  KernelRoute route;
  const auto destination = prefix_from_nl(rtnl_route_get_dst(object));
  route.destination = destination.value_or(Prefix{wire::IpAddress::any(family), 0});
  route.table = rtnl_route_get_table(object);
  route.metric = rtnl_route_get_priority(object);
  if (type == RTN_UNREACHABLE) {
    out.push_back(route);
    return;
  }
  for (int i = 0; i < rtnl_route_get_nnexthops(object); ++i) {
    rtnl_nexthop* hop = rtnl_route_nexthop_n(object, i);
    route.link_index = rtnl_route_nh_get_ifindex(hop);
    route.gateway = from_nl(rtnl_route_nh_get_gateway(hop));
    if (!route.gateway) route.gateway = from_nl(rtnl_route_nh_get_via(hop));
    route.is_on_link = (rtnl_route_nh_get_flags(hop) & RTNH_F_ONLINK) != 0;
    out.push_back(route);
  }
}

// Sends the message and takes the answer; the kernel's own errno, which libnl would translate.
int transact(nl_sock* socket, nl_msg* built) {
  const Message message(built);
  if (!message) return ENOMEM;
  if (nl_send_auto(socket, message.get()) < 0) return EIO;
  int error = 0;
  const Owned<nl_cb, nl_cb_put> callbacks(nl_cb_alloc(NL_CB_DEFAULT));
  nl_cb_err(
      callbacks.get(), NL_CB_CUSTOM,
      [](sockaddr_nl*, nlmsgerr* e, void* result) {
        *static_cast<int*>(result) = -e->error;
        return static_cast<int>(NL_STOP);
      },
      &error);
  bool is_acknowledged = false;
  nl_cb_set(
      callbacks.get(), NL_CB_ACK, NL_CB_CUSTOM,
      [](nl_msg*, void* result) {
        *static_cast<bool*>(result) = true;
        return static_cast<int>(NL_STOP);
      },
      &is_acknowledged);
  while (!is_acknowledged && error == 0) {
    if (nl_recvmsgs(socket, callbacks.get()) < 0 && error == 0 && !is_acknowledged) return EIO;
  }
  return error;
}

template <class Build, class Object>
int change(nl_sock* socket, Build build, Object* object, int flags) {
  nl_msg* message = nullptr;
  if (build(object, flags, &message) < 0) return EINVAL;
  return transact(socket, message);
}

}  // namespace

Setup<std::unique_ptr<Netlink>> Netlink::open() {
  nl_sock* socket = nl_socket_alloc();
  if (socket == nullptr || nl_connect(socket, NETLINK_ROUTE) < 0) {
    const int error = errno;
    nl_socket_free(socket);
    return tl::unexpected(setup_error("Cannot talk to the kernel's routing (netlink)", error));
  }
  return std::unique_ptr<Netlink>(new Netlink(socket));
}

Netlink::~Netlink() { nl_socket_free(socket_); }

std::vector<Link> Netlink::links() {
  nl_cache* raw = nullptr;
  if (rtnl_link_alloc_cache(socket_, AF_UNSPEC, &raw) < 0) return {};
  const Cache cache(raw);
  std::vector<Link> result;
  for_each<rtnl_link>(raw, [&](rtnl_link* object) {
    const unsigned flags = rtnl_link_get_flags(object);
    const char* kind = rtnl_link_get_type(object);
    result.push_back({.index = rtnl_link_get_ifindex(object),
                      .name = rtnl_link_get_name(object),
                      .kind = kind == nullptr ? "" : kind,
                      .mtu = rtnl_link_get_mtu(object),
                      .is_up = is_usable(flags),
                      .is_loopback = (flags & IFF_LOOPBACK) != 0,
                      .is_enslaved = rtnl_link_get_master(object) != 0,
                      .is_point_to_point = (flags & IFF_POINTOPOINT) != 0});
  });
  return result;
}

std::vector<LinkAddress> Netlink::addresses() {
  nl_cache* raw = nullptr;
  if (rtnl_addr_alloc_cache(socket_, &raw) < 0) return {};
  const Cache cache(raw);
  std::vector<LinkAddress> result;
  for_each<rtnl_addr>(raw, [&](rtnl_addr* object) {
    const auto address = from_nl(rtnl_addr_get_local(object));
    if (!address) return;
    const unsigned flags = rtnl_addr_get_flags(object);
    const unsigned tentative = flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED);
    // For IPv6 the same bit means "temporary", which is no reason against it.
    const unsigned secondary = address->is_v4() ? flags & IFA_F_SECONDARY : 0;
    result.push_back({.link_index = rtnl_addr_get_ifindex(object),
                      .address = *address,
                      .prefix_bits = rtnl_addr_get_prefixlen(object),
                      .is_global = rtnl_addr_get_scope(object) == RT_SCOPE_UNIVERSE,
                      .is_usable = tentative == 0 || (flags & IFA_F_OPTIMISTIC) != 0,
                      .is_preferred = (flags & IFA_F_DEPRECATED) == 0 && secondary == 0});
  });
  return result;
}

std::vector<KernelRoute> Netlink::routes(wire::Family family) {
  nl_cache* raw = nullptr;
  if (rtnl_route_alloc_cache(socket_, af_of(family), 0, &raw) < 0) return {};
  const Cache cache(raw);
  std::vector<KernelRoute> result;
  for_each<rtnl_route>(raw, [&](rtnl_route* object) { read_route(object, family, result); });
  return result;
}

std::vector<Rule> Netlink::rules(wire::Family family) {
  nl_cache* raw = nullptr;
  if (rtnl_rule_alloc_cache(socket_, af_of(family), &raw) < 0) return {};
  const Cache cache(raw);
  std::vector<Rule> result;
  for_each<rtnl_rule>(raw, [&](rtnl_rule* object) {
    if (rtnl_rule_get_family(object) != af_of(family)) return;
    if (rtnl_rule_get_action(object) == FR_ACT_TO_TBL) result.push_back(read_rule(object, family));
  });
  return result;
}

int Netlink::set_link_up(int link_index) {
  const LinkObject object(rtnl_link_alloc()), wanted(rtnl_link_alloc());
  rtnl_link_set_ifindex(object.get(), link_index);
  rtnl_link_set_flags(wanted.get(), IFF_UP);
  nl_msg* message = nullptr;
  if (rtnl_link_build_change_request(object.get(), wanted.get(), 0, &message) < 0) return EINVAL;
  return transact(socket_, message);
}

int Netlink::set_mtu(int link_index, uint32_t mtu) {
  const LinkObject object(rtnl_link_alloc()), wanted(rtnl_link_alloc());
  rtnl_link_set_ifindex(object.get(), link_index);
  rtnl_link_set_mtu(wanted.get(), mtu);
  nl_msg* message = nullptr;
  if (rtnl_link_build_change_request(object.get(), wanted.get(), 0, &message) < 0) return EINVAL;
  return transact(socket_, message);
}

int Netlink::add_address(int link_index, const wire::IpAddress& address, int prefix_bits) {
  const AddressObject object(rtnl_addr_alloc());
  rtnl_addr_set_ifindex(object.get(), link_index);
  rtnl_addr_set_local(object.get(), to_nl(address, prefix_bits).get());
  if (address.is_v6()) rtnl_addr_set_flags(object.get(), IFA_F_NODAD);
  return change(socket_, rtnl_addr_build_add_request, object.get(), 0);
}

int Netlink::add_route(const KernelRoute& route) {
  // CREATE without REPLACE or EXCL adds beside one of another metric; EEXIST only for the very same.
  return change(socket_, rtnl_route_build_add_request, build_route(route).get(), NLM_F_CREATE);
}

int Netlink::remove_route(const KernelRoute& route) {
  return change(socket_, rtnl_route_build_del_request, build_route(route).get(), 0);
}

int Netlink::add_rule(const Rule& rule) {
  return change(socket_, rtnl_rule_build_add_request, build_rule(rule).get(), NLM_F_CREATE | NLM_F_EXCL);
}

int Netlink::remove_rule(const Rule& rule) {
  return change(socket_, rtnl_rule_build_delete_request, build_rule(rule).get(), 0);
}

int Netlink::probe_route(const wire::IpAddress& remote) {
  nl_msg* message = nlmsg_alloc_simple(RTM_GETROUTE, 0);
  rtmsg header{};
  header.rtm_family = static_cast<unsigned char>(af_of(remote.family()));
  header.rtm_dst_len = remote.is_v4() ? 32 : 128;
  nlmsg_append(message, &header, sizeof(header), NLMSG_ALIGNTO);
  nla_put(message, RTA_DST, static_cast<int>(remote.size()), remote.bytes().data());
  return transact(socket_, message);
}

Setup<NetlinkMonitor> NetlinkMonitor::open() {
  FileDescriptor fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_ROUTE |
                      RTMGRP_IPV6_ROUTE | RTMGRP_IPV4_RULE | 1u << (RTNLGRP_IPV6_RULE - 1);
  if (!fd || bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return tl::unexpected(setup_error("Cannot listen for changes of links and addresses (netlink)", errno));
  }
  return NetlinkMonitor(std::move(fd));
}

void NetlinkMonitor::drain() {
  std::array<std::byte, 8192> notices;
  // ENOBUFS says that notices were lost: what matters is that there were some.
  while (recv(fd_.get(), notices.data(), notices.size(), 0) > 0 || errno == ENOBUFS || errno == EINTR) {
  }
}

}  // namespace braid::io
