// `braid version`.
#include <fmt/format.h>

#include "cli/subcommands.h"

namespace braid::cli {

void add_version(CLI::App& app, int& exit_status) {
  app.add_subcommand("version", "Say which version this is")->callback([&exit_status] {
    fmt::print("braid {}: MPTCP version 1 (RFC 8684)\n", BRAID_VERSION);
    exit_status = 0;
  });
}

}  // namespace braid::cli
