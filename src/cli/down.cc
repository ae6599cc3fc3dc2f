// `braid down`: ends the machine's Braid, or cleans up after one that was killed.
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "cli/control_call.h"
#include "cli/subcommands.h"
#include "cli/supervisor.h"
#include "io/file_descriptor.h"
#include "service/control.h"

namespace braid::cli {

namespace {
constexpr const char* kFooter = R"(
Connections that are open are reset. Device, policy rules, routes, firewall rules and kernel parameters are then
as they were before `braid up`. Also the remedy after a Braid was killed: it is fine to run it at any time.
Private Braids of `braid run` that are at work are left alone.

Exit status: 0 if Braid is down now, 1 if it could not be ended or cleaned up after.

Examples:
  braid down
  braid down --force                        kill a Braid that does not end by itself)";

struct Options {
  std::string socket_path;
  double patience_s = 15;
  bool force = false;
};

// By descriptor: the process that is ended is the one that was asked for.
bool end_process(pid_t pid, const Options& options) {
  const io::FileDescriptor process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!process) return errno == ESRCH;
  const auto tell = [&process](int signal) {
    return syscall(SYS_pidfd_send_signal, process.get(), signal, nullptr, 0) == 0 || errno == ESRCH;
  };
  const auto has_ended = [&process](int milliseconds) {
    pollfd poller = {process.get(), POLLIN, 0};
    return poll(&poller, 1, milliseconds) > 0;
  };
  if (!tell(SIGTERM)) {
    fmt::print(stderr, "braid down: cannot end process {}: {}. Its owner, or root, may.\n", pid,
               std::strerror(errno));
    return false;
  }
  if (has_ended(static_cast<int>(options.patience_s * 1000))) return true;
  if (!options.force) {
    fmt::print(stderr, "braid down: process {} does not end; `braid down --force` kills it and cleans up.\n",
               pid);
    return false;
  }
  constexpr int kKillMilliseconds = 5000;
  return tell(SIGKILL) && has_ended(kKillMilliseconds);
}

int run(const Options& options) {
  const std::string path = options.socket_path.empty() ? service::control_socket_path() : options.socket_path;
  const pid_t daemon = daemon_at(path);
  if (daemon != 0 && !end_process(daemon, options)) return 1;
  const std::string failure = clean_up_after_killed_daemons(path);
  if (!failure.empty()) {
    fmt::print(stderr, "braid down: {}\n", failure);
    return 1;
  }
  if (daemon == 0) fmt::print("Braid was not up; nothing of it is left on this machine.\n");
  return 0;
}
}  // namespace

void add_down(CLI::App& app, int& exit_status) {
  CLI::App* command = app.add_subcommand("down", "End the machine's Braid; everything is as it was before");
  command->footer(kFooter);
  auto options = std::make_shared<Options>();
  command->add_flag("--force", options->force, "Kill it if it does not end by itself");
  command->add_option("--patience", options->patience_s, "How long it may take to end, in seconds")
      ->check(CLI::Range(0.0, 3600.0))
      ->capture_default_str();
  add_socket_option(*command, options->socket_path);
  command->callback([options, &exit_status] { exit_status = run(*options); });
}

}  // namespace braid::cli
