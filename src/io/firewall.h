// A firewall that drops forwarded packets (Docker's, ufw's, firewalld's), and what lets Braid's through: a
// rule at the head of each chain that might drop them, with a comment that names the instance.
//
// A chain of our own would not do: in nftables what one chain accepts, the next one may still drop.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "io/file_descriptor.h"
#include "io/network.h"

namespace braid::io {

class Firewall {
 public:
  /// What is to come through. `first_port` to `last_port`: the instance's ephemeral ports.
  struct Traffic {
    int instance = 0;
    std::string device;
    uint16_t first_port = 0, last_port = 0;
    FirewallMode mode = FirewallMode::kReplies;
  };
  explicit Firewall(Traffic traffic);

  /// Readable when some rules changed; -1 where the kernel tells nothing.
  int descriptor() const { return notices_.get(); }
  void drain();
  /// Puts the rules where they are needed and not there yet.
  void sync();

  /// "ip filter FORWARD": the chains that might drop. In mode kLeave they still do.
  const std::vector<std::string>& chains() const { return chains_; }
  std::vector<std::string> warnings() const;

 private:
  Traffic traffic_;
  FileDescriptor notices_;
  std::vector<std::string> chains_;
  std::string failure_;
};

/// Removes an instance's rules wherever they are.
void remove_firewall_rules(int instance);

}  // namespace braid::io
