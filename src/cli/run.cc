// `braid run`: a program that nobody modified, on Braid.
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>

#include "cli/captured_namespace.h"
#include "cli/daemon_options.h"
#include "cli/elf.h"
#include "cli/private_daemon.h"
#include "cli/subcommands.h"
#include "cli/supervisor.h"
#include "service/control.h"
#include "service/socket_protocol.h"

namespace braid::cli {

namespace {
constexpr const char* kFooter = R"(
If a Braid daemon runs on this machine (`braid daemon`), the program uses that one, and no privilege is needed.
Otherwise, or if options are given that it would have to be started with, `braid run` starts a private one for
as long as the command runs: that takes root, and nothing has to be set up before or cleaned up after.
The exit status is the program's; 128 and the signal's number if it was killed; 125 if Braid could not start,
126 if the program could not be started, 127 if there is no such program.
It works by a preloaded library, which static programs, those written in Go and set-user-ID ones are not reached by.
With --capture it works for these, too: the program gets a network namespace of its own whose only way out is
Braid. It cannot be a server there, and sees another local address (docs/capture.md).

Examples:
  braid run curl -O https://example.org/big.iso
  braid run -- nginx -g 'daemon off;'                    servers, too
  braid run --scheduler redundant --pcap /tmp/x.pcap -- ssh host
  braid run --policy rules.toml -- make download          some programs and connections only
  braid run --capture -- ./a-go-program                   any program, however it was built
  braid run --interface wlan0 --interface wwan0 -- iperf3 -c host)";

struct Options {
  explicit Options(CLI::App& command) : config(command) {}
  ConfigOptions config;
  bool is_captured = false;
};

// Beside this program: as it was built, or as it was installed.
std::optional<std::string> find_shim() {
  std::vector<std::string> candidates;
  if (const char* named = std::getenv("BRAID_SHIM")) candidates.push_back(named);
  std::error_code ignored;
  const auto own = std::filesystem::read_symlink("/proc/self/exe", ignored).parent_path().parent_path();
  candidates.push_back(own / "lib/libbraid_shim.so");
  candidates.push_back(own / "lib/braid/libbraid_shim.so");
  candidates.push_back(BRAID_SHIM_DIRECTORY "/libbraid_shim.so");
  for (const std::string& candidate : candidates) {
    if (access(candidate.c_str(), R_OK) == 0) return candidate;
  }
  return {};
}

uint64_t own_network_namespace() {
  struct stat status {};
  return stat("/proc/self/ns/net", &status) == 0 ? status.st_ino : 0;
}

// Only the daemon's owner may ask it; but everybody's programs may use it.
bool serves_programs_of_others(const std::string& path) {
  const std::string for_programs = path + service::kApplicationSuffix;
  return access(path.c_str(), R_OK | W_OK) != 0 && errno == EACCES &&
         access(for_programs.c_str(), W_OK) == 0 && daemon_at(for_programs, SOCK_SEQPACKET) != 0;
}

// The daemon that serves this network namespace. One that was named serves whoever names it.
std::optional<std::string> find_daemon() {
  const std::string path = service::control_socket_path();
  if (serves_programs_of_others(path)) return path;
  auto client = service::ControlClient::connect(path);
  if (!client) return {};
  const auto status = client->call({{"command", "status"}});
  if (!status) return {};
  const bool is_named = std::getenv(service::kSocketVariable) != nullptr;
  if (!is_named && status->value("network_namespace", uint64_t{0}) != own_network_namespace()) return {};
  return path;
}

void set_environment(const std::string& shim, const std::string& socket_path) {
  std::string preload = shim;
  if (const char* others = std::getenv("LD_PRELOAD"); others != nullptr && *others != '\0') {
    preload += ":" + std::string(others);
  }
  setenv("LD_PRELOAD", preload.c_str(), 1);
  setenv(service::kSocketVariable, socket_path.c_str(), 1);
}

// Does not return but with the exit status for what went wrong.
int execute(const std::vector<std::string>& command) {
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  execvp(words[0], words.data());
  const int error = errno;
  fmt::print(stderr, "braid run: cannot run {}: {}\n", command[0], std::strerror(error));
  return error == ENOENT ? kExitNotFound : kExitNotExecutable;
}

// As /proc will show it.
std::string real_path(const std::string& program) {
  std::error_code ignored;
  const std::string path = find_program(program);
  const auto real = std::filesystem::canonical(path, ignored);
  return real.empty() ? path : real.string();
}

void warn_if_out_of_reach(const std::string& program) {
  switch (preload_of(program)) {
    case Preload::kStatic:
      fmt::print(stderr,
                 "braid run: {} is statically linked: the preloaded library cannot reach it, and it uses the "
                 "kernel's TCP. `braid run --capture` does.\n",
                 program);
      return;
    case Preload::kGo:
      fmt::print(
          stderr,
          "braid run: {} is written in Go, whose programs make their system calls themselves: the preloaded "
          "library cannot reach it, and it uses the kernel's TCP. `braid run --capture` does.\n",
          program);
      return;
    case Preload::kPrivileged:
      fmt::print(
          stderr,
          "braid run: {} changes its privileges when it starts: the preloaded library cannot reach it, and "
          "it "
          "uses the kernel's TCP. `sudo braid run --capture` does; or start `braid run` as the user that it "
          "changes to.\n",
          program);
      return;
    case Preload::kWorks:
    case Preload::kUnknown:
      return;
  }
}

// Waits for the child, and passes on what others send us meanwhile. What the terminal sends reaches the
// child by itself.
int supervise(pid_t child, const sigset_t& signals) {
  for (;;) {
    siginfo_t info;
    if (sigwaitinfo(&signals, &info) < 0) continue;
    if (info.si_signo != SIGCHLD) {
      if (info.si_code != SI_KERNEL) kill(child, info.si_signo);
      continue;
    }
    int status = 0;
    if (waitpid(child, &status, WNOHANG) != child) continue;
    if (WIFEXITED(status)) return WEXITSTATUS(status);
    if (WIFSIGNALED(status)) return 128 + WTERMSIG(status);
  }
}

/// What becomes the program: once the daemon is known, in the process that is to be it. Returns only the exit
/// status for what went wrong.
using Start = std::function<int(const std::string& socket_path, const std::vector<std::string>& command)>;

Start preloaded(const std::string& shim) {
  return [shim](const std::string& socket_path, const std::vector<std::string>& command) {
    set_environment(shim, socket_path);
    return execute(command);
  };
}

int start_captured(const std::string& socket_path, const std::vector<std::string>& command) {
  setenv(service::kSocketVariable, socket_path.c_str(), 1);
  if (const auto entered = enter_captured_namespace(socket_path, real_path(command[0])); !entered) {
    fmt::print(stderr, "braid run --capture: {}\n", entered.error());
    return kExitRunFailed;
  }
  return execute(command);
}

int run_with_private_daemon(const service::Config& config, const Start& start,
                            const std::vector<std::string>& command) {
  sigset_t signals, previous;
  sigemptyset(&signals);
  for (const int signal : {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT}) {
    sigaddset(&signals, signal);
  }
  sigprocmask(SIG_BLOCK, &signals, &previous);
  auto daemon = PrivateDaemon::start(config);
  if (!daemon) {
    fmt::print(stderr, "braid run: {}\n", daemon.error());
    return kExitRunFailed;
  }
  const pid_t child = fork();
  if (child < 0) {
    fmt::print(stderr, "braid run: cannot fork: {}\n", std::strerror(errno));
    return kExitRunFailed;
  }
  if (child == 0) {
    sigprocmask(SIG_SETMASK, &previous, nullptr);
    fcntl((*daemon)->lifeline(), F_SETFD, 0);
    _exit(start((*daemon)->socket_path(), command));
  }
  return supervise(child, signals);
}

int run(const Options& options, const std::vector<std::string>& command) {
  if (command.empty()) {
    fmt::print(stderr, "braid run: which program? For example: braid run curl https://example.org\n");
    return kExitRunFailed;
  }
  const auto shim = find_shim();
  if (!shim && !options.is_captured) {
    fmt::print(stderr,
               "braid run: libbraid_shim.so is not where it was installed ({}); BRAID_SHIM may name it.\n",
               BRAID_SHIM_DIRECTORY);
    return kExitRunFailed;
  }
  auto config = options.config.resolve();
  if (!config) {
    fmt::print(stderr, "braid run: {}\n", config.error());
    return kExitRunFailed;
  }
  const auto how = config->policy.decide_start(real_path(command[0]), getuid());
  if (how == service::PolicyAction::kKernel && !options.is_captured) return execute(command);
  const bool is_captured = options.is_captured || how == service::PolicyAction::kCapture;
  if (!is_captured) warn_if_out_of_reach(command[0]);
  const Start start = is_captured ? start_captured : preloaded(*shim);
  if (!options.config.is_any_given()) {
    if (const auto socket_path = find_daemon()) return start(*socket_path, command);
  }
  // Its messages stand between the program's own.
  if (!options.config.has_log_level() && config->log_level == "info") config->log_level = "warn";
  config->group.clear();  // whoever runs the program is its daemon's owner
  return run_with_private_daemon(*config, start, command);
}
}  // namespace

void add_run(CLI::App& app, const std::vector<std::string>& command, int& exit_status) {
  CLI::App* subcommand =
      app.add_subcommand("run", "Run a program on Braid: braid run [OPTIONS] [--] PROGRAM ARG...");
  subcommand->footer(kFooter);
  auto options = std::make_shared<Options>(*subcommand);
  subcommand->add_flag("--capture", options->is_captured,
                       "In a network namespace of its own: for static programs, Go's, set-user-ID ones");
  subcommand->callback([options, &command, &exit_status] { exit_status = run(*options, command); });
}

}  // namespace braid::cli
