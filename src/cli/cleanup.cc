// `braid cleanup`: what a killed Braid left behind, undone by hand.
#include <fmt/format.h>

#include "cli/subcommands.h"
#include "io/shared_uplinks.h"

namespace braid::cli {

void add_cleanup(CLI::App& app, int& exit_status) {
  app.add_subcommand("cleanup", "Undo what killed Braids left on this machine (the next start does it, too)")
      ->callback([&exit_status] {
        const auto done = io::clean_up_after_dead_instances();
        if (!done) fmt::print(stderr, "braid cleanup: {}\n", done.error().message);
        exit_status = done ? 0 : 1;
      });
}

}  // namespace braid::cli
