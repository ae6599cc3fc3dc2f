#include "cli/overrides.h"

#include <fmt/format.h>

namespace braid::cli {

tl::expected<std::vector<scenario::Override>, std::string> parse_overrides(
    const std::vector<std::string>& changes) {
  std::vector<scenario::Override> overrides;
  for (const std::string& change : changes) {
    const size_t equals = change.find('=');
    if (equals == std::string::npos || equals == 0)
      return tl::unexpected(
          fmt::format("--set {}: expected KEY=VALUE, such as links.wifi.loss=0.02", change));
    overrides.push_back({change.substr(0, equals), change.substr(equals + 1)});
  }
  return overrides;
}

}  // namespace braid::cli
