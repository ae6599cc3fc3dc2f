// Kernel parameters below /proc/sys, by path: "net/ipv4/conf/eth0/forwarding" (an interface's name may have
// dots in it, so the dotted form would not do).
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>

namespace braid::io {

/// Without the final newline; nothing if there is no such parameter.
std::optional<std::string> read_sysctl(const std::string& path);
/// 0 or an errno.
int write_sysctl(const std::string& path, const std::string& value);

/// The form of net.ipv4.ip_local_reserved_ports: "80,8000-8010".
std::set<uint16_t> parse_port_list(const std::string& text);
std::string format_port_list(const std::set<uint16_t>& ports);

}  // namespace braid::io
