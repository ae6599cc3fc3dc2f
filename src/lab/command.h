// Runs a tool of the system to its end.
#pragma once

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

namespace braid::lab {

/// What it wrote to its standard output. `input` is its standard input. The error: the command, its exit
/// status and what it wrote, for people.
tl::expected<std::string, std::string> run_command(const std::vector<std::string>& command,
                                                   std::string_view input = {});

}  // namespace braid::lab
