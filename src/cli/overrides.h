// `--set KEY=VALUE` of `braid sim` and `braid sweep`.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "scenario/scenario.h"

namespace braid::cli {

/// The error is for people.
tl::expected<std::vector<scenario::Override>, std::string> parse_overrides(
    const std::vector<std::string>& changes);

}  // namespace braid::cli
