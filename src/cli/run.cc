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
#include <memory>
#include <optional>

#include "cli/daemon_options.h"
#include "cli/elf.h"
#include "cli/private_daemon.h"
#include "cli/subcommands.h"
#include "service/control.h"

namespace braid::cli {

namespace {
constexpr const char* kFooter = R"(
If a Braid daemon runs on this machine (`braid daemon`), the program uses that one, and no privilege is needed.
Otherwise, or if options are given that it would have to be started with, `braid run` starts a private one for
as long as the command runs: that takes root, and nothing has to be set up before or cleaned up after.
The exit status is the program's; 128 and the signal's number if it was killed; 125 if Braid could not start,
126 if the program could not be started, 127 if there is no such program.
It works by a preloaded library: static programs (most of Go's) and set-user-ID ones are not reached.

Examples:
  braid run curl -O https://example.org/big.iso
  braid run -- nginx -g 'daemon off;'                    servers, too
  braid run --scheduler redundant --pcap /tmp/x.pcap -- ssh host
  braid run --interface wlan0 --interface wwan0 -- iperf3 -c host)";

struct Options {
  explicit Options(CLI::App& command) : config(command) {}
  ConfigOptions config;
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

// The daemon that serves this network namespace. One that was named serves whoever names it.
std::optional<std::string> find_daemon() {
  const std::string path = service::control_socket_path();
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

void warn_if_out_of_reach(const std::string& program) {
  switch (preload_of(program)) {
    case Preload::kStatic:
      fmt::print(stderr,
                 "braid run: {} is statically linked: Braid cannot reach it, and it uses the kernel's TCP.\n",
                 program);
      return;
    case Preload::kPrivileged:
      fmt::print(
          stderr,
          "braid run: {} changes its privileges when it starts: Braid cannot reach it, and it uses the "
          "kernel's TCP. Start `braid run` as the user that it changes to.\n",
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

int run_with_private_daemon(const service::Config& config, const std::string& shim,
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
    set_environment(shim, (*daemon)->socket_path());
    fcntl((*daemon)->lifeline(), F_SETFD, 0);
    _exit(execute(command));
  }
  return supervise(child, signals);
}

int run(const Options& options, const std::vector<std::string>& command) {
  if (command.empty()) {
    fmt::print(stderr, "braid run: which program? For example: braid run curl https://example.org\n");
    return kExitRunFailed;
  }
  const auto shim = find_shim();
  if (!shim) {
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
  warn_if_out_of_reach(command[0]);
  if (!options.config.is_any_given()) {
    if (const auto socket_path = find_daemon()) {
      set_environment(*shim, *socket_path);
      return execute(command);
    }
  }
  // Its messages stand between the program's own.
  if (!options.config.has_log_level() && config->log_level == "info") config->log_level = "warn";
  config->group.clear();  // whoever runs the program is its daemon's owner
  return run_with_private_daemon(*config, *shim, command);
}
}  // namespace

void add_run(CLI::App& app, const std::vector<std::string>& command, int& exit_status) {
  CLI::App* subcommand =
      app.add_subcommand("run", "Run a program on Braid: braid run [OPTIONS] [--] PROGRAM ARG...");
  subcommand->footer(kFooter);
  auto options = std::make_shared<Options>(*subcommand);
  subcommand->callback([options, &command, &exit_status] { exit_status = run(*options, command); });
}

}  // namespace braid::cli
