// Which programs, and which of their connections, use Braid: rules in TOML, of which the first that fits
// decides. Where none does, it is Braid. docs/policy.md.
#pragma once

#include <toml++/toml.h>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "config/toml_reader.h"
#include "mptcp/connection.h"
#include "wire/address.h"

namespace braid::service {

enum class PolicyAction : uint8_t {
  kBraid,
  kKernel,   // the kernel's TCP, as if Braid were not there
  kCapture,  // Braid; and `braid run` starts the program in a captured namespace
};
enum class PolicyUse : uint8_t { kConnect, kListen };
std::string_view to_string(PolicyAction action);

struct PolicyQuestion {
  std::string program;  // its file; empty: unknown
  uint32_t uid = 0;
  PolicyUse use = PolicyUse::kConnect;
  wire::Endpoint endpoint;  // the destination, or where it listens
};

struct PolicyRule {
  struct Ports {
    uint16_t first = 0, last = 0;
  };
  struct Network {
    wire::IpAddress address;
    int prefix_bits = 0;
  };
  std::string name;  // as the file has it, or "rule 2"
  uint32_t line = 0;
  std::vector<std::string> programs;  // patterns; none: all, likewise below
  std::vector<uint32_t> users;
  std::vector<Ports> ports;
  std::vector<Network> destinations;
  std::optional<PolicyUse> use;
  PolicyAction action = PolicyAction::kBraid;
  /// Keys of [connection] that it sets, and what they make of the daemon's settings.
  toml::table settings;
  std::optional<mptcp::ConnectionConfig> connection;

  bool fits_program(const PolicyQuestion& question) const;
  bool fits(const PolicyQuestion& question) const;
  /// Whether all connections of its programs fit.
  bool is_about_programs() const { return ports.empty() && destinations.empty() && !use; }
};

class Policy {
 public:
  bool empty() const { return rules_.empty(); }
  const std::vector<PolicyRule>& rules() const { return rules_; }
  void add(PolicyRule rule) { rules_.push_back(std::move(rule)); }

  /// What rules set is set over these, the daemon's own, from now on.
  void set_base(const mptcp::ConnectionConfig& base);
  /// Null: none fits.
  const PolicyRule* decide(const PolicyQuestion& question) const;
  /// How `braid run` is to start a program. kKernel only if no connection of it can be Braid's.
  PolicyAction decide_start(const std::string& program, uint32_t uid) const;

 private:
  std::vector<PolicyRule> rules_;
};

/// [[rule]] of a file.
void read_rules(const toml::table& root, Policy& policy, config::TomlErrors& errors);
/// A file of rules only. The error is ready for people: "PATH:LINE:COLUMN: what is wrong".
tl::expected<Policy, std::string> read_policy(const std::string& path);
tl::expected<Policy, std::string> parse_policy(std::string_view text, std::string_view name);

/// The file that a process runs; empty if that cannot be seen.
std::string program_of(int pid);

}  // namespace braid::service
