#include "lab/host_setup.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <net/if.h>

#include <algorithm>
#include <cctype>

#include "io/sysctl.h"
#include "lab/command.h"
#include "plugin/plugins.h"

namespace braid::lab {

namespace {

constexpr int kFirstTable = 100;  // of routes by source address

struct Parameter {
  std::string path, value;
};

std::vector<Parameter> parameters_of(const scenario::HostSpec& spec) {
  std::vector<Parameter> all = {
      {"net/ipv4/conf/all/rp_filter", "0"},
      {"net/ipv4/conf/default/rp_filter", "0"},
      {"net/ipv6/conf/all/accept_dad", "0"},
      {"net/ipv6/conf/default/accept_dad", "0"},
      // Nothing on the links but what hosts mean to say.
      {"net/ipv6/conf/default/addr_gen_mode", "1"},
      {"net/ipv6/conf/default/router_solicitations", "0"},
  };
  if (!spec.is_linux) return all;
  const mptcp::ConnectionConfig& c = spec.config.connection;
  all.push_back({"net/mptcp/enabled", "1"});
  all.push_back({"net/mptcp/checksum_enabled", c.require_checksum ? "1" : "0"});
  // A run must not depend on what the one before it saw.
  all.push_back({"net/mptcp/blackhole_timeout", "0"});
  all.push_back({"net/ipv4/tcp_no_metrics_save", "1"});
  all.push_back({"net/ipv4/tcp_congestion_control", c.congestion_control});
  constexpr size_t kLeast = 4096, kFirst = 131072;
  all.push_back(
      {"net/ipv4/tcp_wmem",
       fmt::format("{} {} {}", kLeast, std::min(kFirst / 8, c.send_buffer_bytes), c.send_buffer_bytes)});
  all.push_back(
      {"net/ipv4/tcp_rmem",
       fmt::format("{} {} {}", kLeast, std::min(kFirst, c.receive_buffer_bytes), c.receive_buffer_bytes)});
  return all;
}

/// For `ip -batch`. A route goes with its device's address by itself, one that names none does not.
std::string address_commands(const HostPlan& host, size_t i, bool is_there) {
  const scenario::Attachment& a = *host.attachments[i];
  const std::string& device = host.devices[i];
  const char* const verb = is_there ? "add" : "del";
  std::string batch = fmt::format("addr {} {}/{} dev {}{}\n", verb, a.address.to_string(), a.prefix_bits,
                                  device, is_there && !a.address.is_v4() ? " nodad" : "");
  if (!a.has_default_route) return batch;
  const size_t table = kFirstTable + i;
  // The kernel takes IPv4 routes away with a device's last address.
  const bool is_route_there = is_there || !a.address.is_v4();
  if (is_route_there) {
    batch += fmt::format("route {} default dev {} metric {}\n", verb, device, table);
    batch += fmt::format("route {} default dev {} table {}\n", verb, device, table);
  }
  batch += fmt::format("rule {} from {} table {}\n", verb, a.address.to_string(), table);
  return batch;
}

tl::expected<void, std::string> run_batch(const Namespaces& namespaces, const HostPlan& host, bool is_v6,
                                          const std::string& batch) {
  auto done =
      run_command({"ip", is_v6 ? "-6" : "-4", "-n", namespaces.name(host.position), "-batch", "-"}, batch);
  if (!done) return tl::unexpected(std::move(done.error()));
  return {};
}

}  // namespace

std::string device_name(const std::string& link, size_t position) {
  const bool is_good = !link.empty() && link.size() < IFNAMSIZ && link != "lo" && link != "all" &&
                       link != "default" && !link.starts_with("braid") &&
                       std::ranges::all_of(link, [](char c) {
                         return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
                       });
  return is_good ? link : fmt::format("link{}", position);
}

tl::expected<void, std::string> set_kernel_parameters(const Namespaces& namespaces, const HostPlan& host) {
  std::string wrong;
  namespaces.run_inside(host.position, [&] {
    for (const Parameter& parameter : parameters_of(*host.spec)) {
      if (io::write_sysctl(parameter.path, parameter.value) == 0) continue;
      const std::string available =
          io::read_sysctl("net/ipv4/tcp_available_congestion_control").value_or("none");
      if (parameter.path == "net/ipv4/tcp_congestion_control") {
        // Some may not be a namespace's default, and yet be chosen by a socket: the agents do.
        if (fmt::format(" {} ", available).find(fmt::format(" {} ", parameter.value)) == std::string::npos)
          wrong = fmt::format(
              "host \"{}\" is Linux, whose kernel here has no congestion control \"{}\"; it has {}",
              host.spec->name, parameter.value, available);
      } else if (parameter.path == "net/mptcp/enabled" && host.spec->config.connection.is_multipath) {
        wrong = fmt::format("host \"{}\" is Linux, whose kernel here has no MPTCP: set multipath = false",
                            host.spec->name);
      }
    }
  });
  if (wrong.empty()) return {};
  return tl::unexpected(std::move(wrong));
}

tl::expected<void, std::string> configure_devices(const Namespaces& namespaces, const HostPlan& host) {
  std::string batch = "link set lo up\n";
  bool is_v6 = false;
  for (size_t i = 0; i < host.attachments.size(); ++i) {
    const scenario::Attachment& a = *host.attachments[i];
    const std::string& device = host.devices[i];
    is_v6 = !a.address.is_v4();
    batch += fmt::format("link set dev {} mtu {} up\n", device, a.link->channel(a.away).config().mtu);
    if (a.is_there_at_first) batch += address_commands(host, i, true);
  }
  const bool is_multipath = host.spec->is_linux && host.spec->config.connection.is_multipath;
  if (is_multipath) {
    const auto& limits = host.spec->config.paths.limits;
    // The kernel's own limit is 8.
    batch += fmt::format("mptcp limits set subflows {} add_addr_accepted {}\n",
                         std::min<int>(limits.subflows, 8), std::min<int>(limits.add_addr_accepted, 8));
    for (size_t i = 0; i < host.attachments.size(); ++i) {
      const scenario::Attachment& a = *host.attachments[i];
      if (!a.is_subflow && !a.is_signal) continue;
      batch += fmt::format("mptcp endpoint add {} dev {}{}{}\n", a.address.to_string(), host.devices[i],
                           a.is_subflow ? " subflow" : "", a.is_signal ? " signal" : "");
    }
  }
  return run_batch(namespaces, host, is_v6, batch);
}

tl::expected<void, std::string> change_address(const Namespaces& namespaces, const HostPlan& host,
                                               size_t attachment, bool is_there) {
  const bool is_v6 = !host.attachments[attachment]->address.is_v4();
  return run_batch(namespaces, host, is_v6, address_commands(host, attachment, is_there));
}

tl::expected<void, std::string> change_backup(const Namespaces& namespaces, const HostPlan& host,
                                              size_t attachment, bool is_backup) {
  const wire::IpAddress& address = host.attachments[attachment]->address;
  return run_batch(
      namespaces, host, !address.is_v4(),
      fmt::format("mptcp endpoint change {} {}\n", address.to_string(), is_backup ? "backup" : "nobackup"));
}

std::string daemon_config(const HostPlan& host) {
  const auto& limits = host.spec->config.paths.limits;
  std::string text = fmt::format("[connection]\n{}\n[limits]\nsubflows = {}\nadd_addr_accepted = {}\n",
                                 host.spec->connection_toml, limits.subflows, limits.add_addr_accepted);
  // By address: a daemon has one device for all of its uplinks.
  for (const mptcp::PathRule& rule : host.spec->config.connection.paths) {
    for (const scenario::Attachment* a : host.attachments) {
      if (!rule.fits(a->link->name(), a->address)) continue;
      text += fmt::format("[[connection.paths]]\naddress = \"{}\"\nweight = {}\npriority = {}\n",
                          a->address.to_string(), rule.policy.weight, rule.policy.priority);
      if (rule.policy.budget_bytes != UINT64_MAX)
        text += fmt::format("budget = {}\n", rule.policy.budget_bytes);
    }
  }
  if (!plugin::loaded().empty())
    text += fmt::format("[daemon]\nplugins = [\"{}\"]\n", fmt::join(plugin::loaded(), "\", \""));
  text += fmt::format("[network]\ninterfaces = [\"{}\"]\nauto_endpoints = false\n",
                      fmt::join(host.devices, "\", \""));
  for (size_t i = 0; i < host.attachments.size(); ++i) {
    const scenario::Attachment& a = *host.attachments[i];
    if (!a.is_subflow && !a.is_signal) continue;
    std::vector<std::string> flags;
    if (a.is_subflow) flags.push_back("\"subflow\"");
    if (a.is_signal) flags.push_back("\"signal\"");
    text += fmt::format("[[endpoint]]\naddress = \"{}\"\ninterface = \"{}\"\nflags = [{}]\n",
                        a.address.to_string(), host.devices[i], fmt::join(flags, ", "));
  }
  return text;
}

}  // namespace braid::lab
