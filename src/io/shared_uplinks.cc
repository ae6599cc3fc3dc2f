// Setting up, ports and tearing down; what follows the machine's changes is in shared_uplinks_sync.cc.
#include "io/shared_uplinks.h"

#include <fmt/format.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "io/port_blocks.h"
#include "io/routing_tables.h"
#include "io/sysctl.h"

namespace braid::io {

namespace {
constexpr const char* kReservedPortsPath = "net/ipv4/ip_local_reserved_ports";
// What is forwarded into the device was measured against its uplink's MTU already; a smaller one here would
// only refuse what receive offload has put together.
constexpr uint32_t kDeviceMtu = 65535;

void release_reserved_ports(const InstanceRecord& record) {
  const std::set<uint16_t> ours = parse_port_list(record.reserved_ports);
  if (ours.empty()) return;
  std::set<uint16_t> reserved = parse_port_list(read_sysctl(kReservedPortsPath).value_or(""));
  for (const uint16_t port : ours) reserved.erase(port);
  write_sysctl(kReservedPortsPath, format_port_list(reserved));
}

void undo_instance(Netlink& netlink, const InstanceDirectory& directory, const InstanceRecord& record) {
  for (const wire::Family family : {wire::Family::kV4, wire::Family::kV6}) {
    for (const Rule& rule : netlink.rules(family)) {
      if (is_table_of(record.number, rule.table)) netlink.remove_rule(rule);
    }
    for (const KernelRoute& route : netlink.routes(family)) {
      if (is_table_of(record.number, route.table)) netlink.remove_route(route);
    }
  }
  remove_firewall_rules(record.number);
  release_reserved_ports(record);
  directory.remove(record.number);
}

// Under the directory's lock.
void undo_the_dead(Netlink& netlink, const InstanceDirectory& directory) {
  if (!directory.is_from_this_boot()) {
    for (const InstanceRecord& record : directory.dead()) directory.remove(record.number);
    unlink(directory.path_of("changes").c_str());
    directory.mark_this_boot();
    return;
  }
  for (const InstanceRecord& record : directory.dead()) undo_instance(netlink, directory, record);
  if (directory.live().empty()) MachineChanges(directory, netlink).undo_all();
}

// A socket that is bound and nothing more: the kernel then gives that port to nobody else.
int hold_port(const wire::Endpoint& local, std::vector<FileDescriptor>& holders) {
  const bool is_v4 = local.address.is_v4();
  FileDescriptor fd(socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return errno == EAFNOSUPPORT ? 0 : errno;
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  int result;
  if (is_v4) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(local.port);
    std::memcpy(&address.sin_addr, local.address.bytes().data(), 4);
    result = bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address));
  } else {
    setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(local.port);
    std::memcpy(&address.sin6_addr, local.address.bytes().data(), 16);
    result = bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address));
  }
  if (result != 0) return errno;
  holders.push_back(std::move(fd));
  return 0;
}
}  // namespace

Setup<void> clean_up_after_dead_instances() {
  auto netlink = Netlink::open();
  if (!netlink) return tl::unexpected(netlink.error());
  auto directory = InstanceDirectory::open();
  if (!directory) return tl::unexpected(directory.error());
  const FileDescriptor lock = directory->lock();
  undo_the_dead(**netlink, *directory);
  if (directory->live().empty()) directory->remove_all();
  return {};
}

Setup<std::unique_ptr<Network>> SharedUplinks::open(const NetworkConfig& config) {
  auto directory = InstanceDirectory::open();
  if (!directory) return tl::unexpected(directory.error());
  std::unique_ptr<SharedUplinks> network(new SharedUplinks(config, std::move(*directory)));
  if (auto done = network->set_up(); !done) return tl::unexpected(done.error());
  return std::unique_ptr<Network>(std::move(network));
}

Setup<void> SharedUplinks::set_up() {
  auto netlink = Netlink::open();
  if (!netlink) return tl::unexpected(netlink.error());
  netlink_ = std::move(*netlink);
  const FileDescriptor lock = directory_.lock();
  undo_the_dead(*netlink_, directory_);
  // The device first: without the right to make one, nothing has been touched.
  auto device = TunDevice::open(config_.device);
  if (!device) return tl::unexpected(device.error());
  device_ = std::move(*device);
  device_name_ = device_->name();
  device_index_ = device_->index();
  return claim_ports().and_then([this] { return reserve_ports(); }).and_then([this] {
    return set_up_device();
  });
}

Setup<void> SharedUplinks::claim_ports() {
  const auto block = choose_ports(config_, directory_.live());
  if (!block) {
    return tl::unexpected(SetupError{fmt::format(
        "All of Braid's ports, {} to {}, are in use by other Braids on this machine. Give this one "
        "a range of its own.",
        config_.first_port, config_.last_port)});
  }
  record_.first_port = block->first;
  record_.last_port = block->last;
  auto held = directory_.claim(record_);
  if (!held) return tl::unexpected(held.error());
  instance_ = std::move(*held);
  return {};
}

Setup<void> SharedUplinks::reserve_ports() {
  std::set<uint16_t> reserved = parse_port_list(read_sysctl(kReservedPortsPath).value_or(""));
  std::set<uint16_t> added;
  for (uint32_t port = record_.first_port; port <= record_.last_port; ++port) {
    if (reserved.insert(static_cast<uint16_t>(port)).second) added.insert(static_cast<uint16_t>(port));
  }
  record_.reserved_ports = format_port_list(added);
  directory_.update(instance_, record_);
  return set_device_sysctl(kReservedPortsPath, format_port_list(reserved),
                           "so that the kernel leaves Braid's ports alone");
}

Setup<void> SharedUplinks::set_up_device() {
  struct Parameter {
    const char* path;
    const char* value;
    const char* why;
    bool is_needed;
  };
  static constexpr Parameter kParameters[] = {
      {"net/ipv4/conf/{}/forwarding", "1", "what Braid sends is forwarded", true},
      {"net/ipv4/conf/{}/accept_local", "1", "what Braid sends has this machine's addresses", true},
      {"net/ipv4/conf/{}/rp_filter", "0", "what Braid sends has this machine's addresses", true},
      {"net/ipv4/conf/{}/send_redirects", "0", "no router tells Braid better", false},
      {"net/ipv6/conf/{}/addr_gen_mode", "1", "no automatic addresses", false},
      {"net/ipv6/conf/{}/accept_ra", "0", "no router announces itself there", false},
  };
  for (const Parameter& parameter : kParameters) {
    const auto done = set_device_sysctl(fmt::format(fmt::runtime(parameter.path), device_name_),
                                        parameter.value, parameter.why);
    if (!done && parameter.is_needed) return done;
  }
  int error = netlink_->set_mtu(device_index_, kDeviceMtu);
  if (error == 0) error = netlink_->set_link_up(device_index_);
  if (error != 0) return tl::unexpected(setup_error("Cannot set up the device " + device_name_, error));
  for (const wire::Family family : {wire::Family::kV4, wire::Family::kV6}) {
    KernelRoute route;
    route.destination = {wire::IpAddress::any(family), 0};
    route.table = inbound_table(record_.number);
    route.link_index = device_index_;
    error = netlink_->add_route(route);
    if (error != 0 && family == wire::Family::kV4) {
      return tl::unexpected(setup_error("Cannot add a route to " + device_name_, error));
    }
    if (error != 0) config_.use_ipv6 = false;  // a kernel without IPv6
  }
  firewall_ = std::make_unique<Firewall>(Firewall::Traffic{.instance = record_.number,
                                                           .device = device_name_,
                                                           .first_port = record_.first_port,
                                                           .last_port = record_.last_port,
                                                           .mode = config_.firewall});
  firewall_->sync();
  MachineChanges changes(directory_, *netlink_);
  return changes.move_local_rule(wire::Family::kV4).and_then([&] {
    return config_.use_ipv6 ? changes.move_local_rule(wire::Family::kV6) : Setup<void>{};
  });
}

SharedUplinks::~SharedUplinks() {
  if (live_ != nullptr) {
    live_->loop().cancel(sync_timer_);
    live_->loop().cancel(firewall_timer_);
    if (firewall_ && firewall_->descriptor() >= 0) live_->loop().remove(firewall_->descriptor());
    if (monitor_) live_->loop().remove(monitor_->descriptor());
  }
  icmp_.reset();
  if (instance_) undo();
}

void SharedUplinks::undo() {
  const FileDescriptor lock = directory_.lock();
  undo_instance(*netlink_, directory_, record_);
  instance_.reset();
  if (!directory_.live().empty()) return;
  MachineChanges(directory_, *netlink_).undo_all();
  directory_.remove_all();
}

void SharedUplinks::configure(host::HostConfig& config) const {
  config.first_ephemeral_port = record_.first_port;
  config.last_ephemeral_port = record_.last_port;
}

bool SharedUplinks::is_served(const wire::IpAddress& address) const {
  return std::ranges::any_of(uplinks_, [&](const auto& entry) {
    return std::ranges::any_of(entry.second.addresses,
                               [&](const LinkAddress& a) { return a.address == address; });
  });
}

int SharedUplinks::claim_port(const wire::Endpoint& local) {
  if (!local.address.is_unspecified() && !is_served(local.address)) return EADDRNOTAVAIL;
  Claim& claim = claims_[local];
  if (claim.count == 0) {
    if (const int error = hold_port(local, claim.holders); error != 0) {
      claims_.erase(local);
      return error;
    }
  }
  ++claim.count;
  sync_rules();
  return 0;
}

void SharedUplinks::release_port(const wire::Endpoint& local) {
  const auto claim = claims_.find(local);
  if (claim == claims_.end() || --claim->second.count > 0) return;
  claims_.erase(claim);
  sync_rules();
}

// Peers send their MP_JOIN there, where no program of ours listens. An address that is not here yet has its
// turn when it comes.
int SharedUplinks::on_endpoints_changed() {
  std::set<wire::Endpoint> wanted;
  for (const mptcp::PathEndpoint& e : live_->host().path_config().endpoints) {
    if (e.port != 0 && is_served(e.address)) wanted.insert({e.address, e.port});
  }
  std::erase_if(announced_, [&](const wire::Endpoint& local) {
    const bool is_over = !wanted.contains(local);
    if (is_over) release_port(local);
    return is_over;
  });
  int result = 0;
  for (const wire::Endpoint& local : wanted) {
    if (announced_.contains(local)) continue;
    const int error = claim_port(local);
    if (error == 0) announced_.insert(local);
    if (result == 0) result = error;
  }
  return result;
}

}  // namespace braid::io
