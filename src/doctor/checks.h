// The doctor's checks, each of one matter. They read this host (its network namespace) and change nothing
// that stays; what they may not read for lack of privilege they say.
#pragma once

#include <string>

#include "doctor/finding.h"
#include "io/network.h"
#include "wire/address.h"

namespace braid::doctor {

/// CAP_NET_ADMIN and its kin, /dev/net/tun and what the driver can do, a writable /proc/sys, descriptors,
/// containers.
Findings check_privileges(bool has_daemon);
/// Devices, addresses, default routes, metrics, MTU, IPv6, other programs' policy rules.
Findings check_uplinks(const io::NetworkConfig& config);
/// Reverse path filter, forwarding, ports, kernel MPTCP, connection tracking, TIME-WAIT.
Findings check_kernel(const io::NetworkConfig& config);
/// Rules of nftables (iptables-nft's too) and of iptables-legacy that drop what Braid has forwarded, or its
/// options.
Findings check_firewall();
/// What to think of `nft -j list ruleset`'s output; the part of check_firewall() that does not ask the
/// machine.
Findings judge_nft_ruleset(const std::string& json);
/// A daemon that answers at the control socket, its version; what a killed one left. `has_daemon`: whether
/// one answers.
Findings check_daemon(const std::string& socket_path, bool& has_daemon);
/// Sends a SYN with MP_CAPABLE to `remote` from each uplink and looks at what comes back. Needs CAP_NET_RAW.
Findings check_reach(const wire::Endpoint& remote, const io::NetworkConfig& config);

/// The output of a command of ours; empty if it is not there or fails.
std::string output_of(const std::string& command);

}  // namespace braid::doctor
