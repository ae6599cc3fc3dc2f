#include <fmt/format.h>

#include <charconv>
#include <fstream>
#include <set>
#include <sstream>

#include "doctor/checks.h"
#include "doctor/machine.h"
#include "io/instances.h"
#include "io/sysctl.h"

namespace braid::doctor {

namespace {
constexpr int64_t kNearlyFullPercent = 80;

int64_t number(const std::string& path, int64_t otherwise = 0) {
  const auto text = io::read_sysctl(path);
  if (!text) return otherwise;
  int64_t value = otherwise;
  std::from_chars(text->data(), text->data() + text->size(), value);
  return value;
}

/// Ports of TCP sockets of the kernel's, TIME-WAIT included.
std::set<uint16_t> used_ports() {
  std::set<uint16_t> ports;
  for (const char* path : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream file(path);
    std::string line;
    std::getline(file, line);
    while (std::getline(file, line)) {
      std::istringstream fields(line);
      std::string number_field, local;
      fields >> number_field >> local;
      const size_t colon = local.rfind(':');
      uint16_t port = 0;
      if (colon != std::string::npos)
        std::from_chars(local.data() + colon + 1, local.data() + local.size(), port, 16);
      ports.insert(port);
    }
  }
  return ports;
}

void check_ports(const io::NetworkConfig& config, Findings& findings) {
  const std::set<uint16_t> used = used_ports();
  const auto reserved = io::parse_port_list(io::read_sysctl("net/ipv4/ip_local_reserved_ports").value_or(""));
  int taken = 0;
  for (uint32_t port = config.first_port; port <= config.last_port; ++port) {
    if (used.contains(static_cast<uint16_t>(port))) ++taken;
  }
  const std::string range = fmt::format("{}-{}", config.first_port, config.last_port);
  if (taken > 0) {
    findings.push_back(
        {Severity::kWarning, "ports",
         fmt::format("{} of Braid's ports {} are in use by the kernel's sockets", taken, range),
         "what comes to them goes to Braid while it runs: those connections stall",
         fmt::format("ss -tan sport '>= {}' and sport '<= {}'   # who?\n"
                     "# or give Braid others: [network] ports in /etc/braid/braid.toml",
                     config.first_port, config.last_port)});
    return;
  }
  std::istringstream text(io::read_sysctl("net/ipv4/ip_local_port_range").value_or("32768 60999"));
  uint32_t first = 0, last = 0;
  text >> first >> last;
  const bool overlaps = first <= config.last_port && config.first_port <= last;
  findings.push_back(
      {overlaps ? Severity::kNote : Severity::kFine, "ports",
       fmt::format("Braid's ports are {}, the kernel's ephemeral ones {}-{}{}", range, first, last,
                   overlaps ? ", which overlap" : ""),
       overlaps ? "Braid reserves its own while it runs, so the kernel takes none of them" : "", ""});
}

void check_forwarding(Findings& findings) {
  const int64_t filter = number("net/ipv4/conf/all/rp_filter");
  if (filter == 1) {
    findings.push_back(
        {Severity::kNote, "rp_filter", "net.ipv4.conf.all.rp_filter=1: strict reverse path filtering",
         "it would drop what comes by a second uplink; Braid moves it to the devices while it runs, and puts "
         "it back",
         "sudo sysctl -w net.ipv4.conf.all.rp_filter=2   # to have it so without Braid, too"});
  } else {
    findings.push_back(
        {Severity::kFine, "rp_filter", fmt::format("net.ipv4.conf.all.rp_filter={}", filter), "", ""});
  }
  const int64_t forward = number("net/ipv4/ip_forward");
  findings.push_back(
      {Severity::kFine, "forwarding",
       fmt::format("net.ipv4.ip_forward={}; Braid turns forwarding on for the devices it uses", forward), "",
       ""});
}

void check_kernel_mptcp(const io::NetworkConfig& config, Findings& findings) {
  const auto enabled = io::read_sysctl("net/mptcp/enabled");
  if (!enabled) {
    findings.push_back(
        {Severity::kFine, "kernel-mptcp", "the kernel has no MPTCP of its own; Braid needs none", "", ""});
    return;
  }
  const std::string endpoints = output_of("ip mptcp endpoint show");
  std::string overlapping;
  if (auto netlink = io::Netlink::open()) {
    const auto machine = read_machine(**netlink, config);
    std::istringstream lines(endpoints);
    std::string line;
    while (std::getline(lines, line)) {
      const std::string address = line.substr(0, line.find(' '));
      for (const Uplink& uplink : machine->uplinks) {
        for (const auto& own : uplink.addresses) {
          if (own.to_string() == address) overlapping += (overlapping.empty() ? "" : ", ") + address;
        }
      }
    }
  }
  if (enabled != "0" && !overlapping.empty()) {
    findings.push_back(
        {Severity::kNote, "kernel-mptcp", "the kernel's MPTCP has endpoints at uplinks, too: " + overlapping,
         "programs with MPTCP sockets of the kernel's use them; those under `braid run` use Braid's", ""});
  } else {
    findings.push_back({Severity::kFine, "kernel-mptcp",
                        enabled == "0" ? "the kernel's own MPTCP is off; Braid needs none"
                                       : "the kernel's own MPTCP is on, beside",
                        "", ""});
  }
}

void check_tables(Findings& findings) {
  const int64_t tracked = number("net/netfilter/nf_conntrack_count"),
                most = number("net/netfilter/nf_conntrack_max");
  if (most > 0 && tracked * 100 >= most * kNearlyFullPercent) {
    findings.push_back({Severity::kWarning, "conntrack",
                        fmt::format("{} of {} tracked connections", tracked, most),
                        "a full table drops the SYNs of new paths: what Braid has forwarded is tracked",
                        fmt::format("sudo sysctl -w net.netfilter.nf_conntrack_max={}", most * 4)});
  } else if (most > 0) {
    findings.push_back(
        {Severity::kFine, "conntrack", fmt::format("{} of {} tracked connections", tracked, most), "", ""});
  }
  const int64_t buckets = number("net/ipv4/tcp_max_tw_buckets");
  const std::string text = io::read_file("/proc/net/sockstat").value_or("");
  const size_t at = text.find(" tw ");
  int64_t waiting = 0;
  if (at != std::string::npos) std::from_chars(text.data() + at + 4, text.data() + text.size(), waiting);
  if (buckets > 0 && waiting * 100 >= buckets * kNearlyFullPercent) {
    findings.push_back({Severity::kNote, "time-wait",
                        fmt::format("the kernel has {} of {} sockets in TIME-WAIT", waiting, buckets),
                        "not Braid's, which has a table of its own; programs beside it may run out of ports",
                        ""});
  }
}
}  // namespace

Findings check_kernel(const io::NetworkConfig& config) {
  Findings findings;
  check_forwarding(findings);
  check_ports(config, findings);
  check_kernel_mptcp(config, findings);
  check_tables(findings);
  return findings;
}

}  // namespace braid::doctor
