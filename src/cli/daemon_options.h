// The options that `braid run` and `braid daemon` share: they overrule the configuration file.
#pragma once

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "service/config.h"

namespace braid::cli {

class ConfigOptions {
 public:
  static constexpr const char* kDefaultPath = "/etc/braid/braid.toml";

  explicit ConfigOptions(CLI::App& command);

  /// Whether any was given: then a Braid that runs already would not do.
  bool is_any_given() const;
  /// The file that resolve() reads; empty: none.
  std::string config_file() const;
  bool has_log_level() const { return !log_level_.empty(); }
  /// The file's settings (the default path's, if there is such a file and no other is named), overruled.
  tl::expected<service::Config, std::string> resolve() const;

 private:
  CLI::App& command_;
  std::vector<CLI::Option*> options_;
  std::string config_path_, policy_path_, capture_path_, events_path_, metrics_, scheduler_,
      congestion_control_, log_level_, device_, firewall_;
  std::vector<std::string> addresses_, kernel_addresses_, interfaces_, gateways_, plugins_;
  bool no_multipath_ = false, checksum_ = false;
};

/// "192.0.2.1/24"; without a length, the whole address.
std::optional<host::AddressConfig> parse_address(const std::string& text);

}  // namespace braid::cli
