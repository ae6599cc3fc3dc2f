// Where the command of `braid run` begins: everything after its own options is the program's, whatever it
// looks like.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace braid::cli {

struct CommandLine {
  std::vector<std::string> own;      // what Braid is to parse, its own name left out
  std::vector<std::string> command;  // after "--", or from the first word that is no option of Braid's
};

/// `run` is the subcommand, with its options added, so that it is known which of them take a value.
CommandLine split_command_line(const std::vector<std::string>& arguments, const CLI::App& run);

}  // namespace braid::cli
