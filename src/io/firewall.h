// The machine's packet filter. What Braid sends and gets is forwarded by the kernel, and many machines
// forward nothing (Docker and ufw set it so): a rule at the head of each such chain lets Braid's connections
// through.
#pragma once

#include <string>
#include <vector>

namespace braid::io {

/// What was done, and what was left to the administrator.
struct FirewallPass {
  bool has_rules = false;  // some were added: close_firewall() takes them out
  /// Whole sentences for the log.
  std::vector<std::string> notices;
};

/// Connections that Braid opens, and answers to them, pass all nftables chains (iptables-nft's, too) at the
/// forward hook. New connections from outside are not let in where the chain drops by default: that is for
/// the administrator to say, and a notice says how. Nothing happens without nftables in use.
FirewallPass open_firewall(int instance, const std::string& device);
void close_firewall(int instance);

}  // namespace braid::io
