// `braid up`: Braid for the whole machine, in the background, until `braid down`.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

#include "cli/control_call.h"
#include "cli/daemon_options.h"
#include "cli/subcommands.h"
#include "cli/supervisor.h"
#include "cli/uplinks_format.h"
#include "io/service_manager.h"
#include "service/control.h"

namespace braid::cli {

namespace {
constexpr int kExitNotUp = 3;  // as `systemctl status` and init scripts have it

constexpr const char* kFooter = R"(
Finds the machine's uplinks (WiFi, LTE, Ethernet: each device with a global address), sets up policy routes for
their addresses, and follows what comes and goes. Programs under `braid run` use it, without root. Which
routes the machine's other traffic takes is left as it is. `braid down` ends it; if it is killed, what it
changed is undone at once by the process that watches over it, and if that one is killed too, by `braid down`
or the next `braid up`. If Braid is up already, this shows its uplinks.

Exit status: 0, 1 if it could not start, 2 for wrong options; with --status 3 if Braid is not up.

Examples:
  braid up                                  all uplinks, now and later
  braid up --interface wlan0 --interface wwan0
  braid up --status                         what it uses, and what it does not and why
  braid up --status --json | jq -r '.uplinks[] | select(.up).name'
  braid up --foreground                     under a service manager (Type=notify)
  braid down)";

struct Options {
  explicit Options(CLI::App& command) : config(command) {}
  ConfigOptions config;
  std::string socket_path, log_path;
  bool foreground = false, only_status = false, as_json = false;
};

std::optional<nlohmann::json> ask_uplinks(const std::string& socket_path) {
  auto client = service::ControlClient::connect(socket_path);
  if (!client) return {};
  auto answer = client->call({{"command", "uplinks"}});
  if (!answer) return {};
  return std::move(*answer);
}

void show(const nlohmann::json& answer, bool as_json, std::string_view intro) {
  if (as_json) {
    fmt::print("{}\n", answer.dump(2));
  } else {
    fmt::print("{} (process {}). Uplinks:\n{}", intro, answer.value("pid", 0), format_uplinks(answer));
  }
}

int show_status(const std::string& socket_path, bool as_json) {
  if (const auto answer = ask_uplinks(socket_path)) {
    show(*answer, as_json, "Braid is up");
    return 0;
  }
  if (as_json) {
    fmt::print("{}\n", nlohmann::json{{"up", false}}.dump(2));
  } else {
    fmt::print("Braid is not up (nobody serves {}). Start it with `braid up`.\n", socket_path);
  }
  return kExitNotUp;
}

int run_in_foreground(const service::DaemonOptions& daemon) {
  // Ours to tell: the service manager's main process is the watcher.
  io::ServiceManager manager = io::ServiceManager::from_environment();
  return supervise_daemon(daemon, [&](const std::string& error) {
    if (!error.empty()) {
      fmt::print(stderr, "braid up: {}\n", error);
      return;
    }
    const auto answer = ask_uplinks(daemon.socket_path);
    const size_t count = answer ? answer->value("uplinks", nlohmann::json::array()).size() : 0;
    manager.ready(fmt::format("Serving {} uplinks at {}", count, daemon.socket_path));
  });
}

// In a session of its own, so that the terminal's signals and its end do not reach it.
bool go_to_background(const std::string& log_path) {
  setsid();
  if (chdir("/") != 0) return false;
  const io::FileDescriptor null(open("/dev/null", O_RDWR | O_CLOEXEC));
  const io::FileDescriptor log(
      open(log_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644));
  dup2(null.get(), STDIN_FILENO);
  dup2(null.get(), STDOUT_FILENO);
  return log && dup2(log.get(), STDERR_FILENO) >= 0;
}

int start_in_background(const service::DaemonOptions& daemon, const Options& options) {
  std::array<int, 2> ends;
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    fmt::print(stderr, "braid up: cannot make a pipe: {}\n", std::strerror(errno));
    return 1;
  }
  const io::FileDescriptor reader(ends[0]);
  io::FileDescriptor writer(ends[1]);
  const pid_t watcher = fork();
  if (watcher < 0) {
    fmt::print(stderr, "braid up: cannot fork: {}\n", std::strerror(errno));
    return 1;
  }
  if (watcher == 0) {
    const auto tell = [&writer](const std::string& error) {
      const std::string text = error.empty() ? "ready" : error;
      if (write(writer.get(), text.data(), text.size()) < 0) return;
      writer.reset();
    };
    if (!go_to_background(options.log_path)) {
      tell(fmt::format("cannot write the log {}: {}. Name another with --log-file.", options.log_path,
                       std::strerror(errno)));
      _exit(1);
    }
    _exit(supervise_daemon(daemon, tell));
  }
  writer.reset();
  std::array<char, 4096> text;
  const ssize_t size = read(reader.get(), text.data(), text.size());
  const std::string answer(text.data(), size > 0 ? static_cast<size_t>(size) : 0);
  if (answer != "ready") {
    fmt::print(stderr, "braid up: {}\n",
               answer.empty() ? "it ended before it was ready; see " + options.log_path : answer);
    return 1;
  }
  const auto uplinks = ask_uplinks(daemon.socket_path);
  if (!uplinks) {
    fmt::print(stderr, "braid up: it has ended already; see {}\n", options.log_path);
    return 1;
  }
  show(*uplinks, options.as_json, "Braid is up");
  if (!options.as_json) fmt::print("Programs use it with `braid run PROGRAM`; `braid down` ends it.\n");
  return 0;
}

int run(Options& options) {
  const auto config = options.config.resolve();
  if (!config) {
    fmt::print(stderr, "braid up: {}\n", config.error());
    return kExitUsage;
  }
  service::DaemonOptions daemon;
  daemon.config = *config;
  daemon.socket_path = !options.socket_path.empty()   ? options.socket_path
                       : !config->socket_path.empty() ? config->socket_path
                                                      : service::control_socket_path();
  if (options.only_status) return show_status(daemon.socket_path, options.as_json);
  if (const auto running = ask_uplinks(daemon.socket_path)) {
    if (options.config.is_any_given()) {
      fmt::print(stderr,
                 "braid up: Braid is up already (process {}), started with other options. "
                 "`braid down` first, then again.\n",
                 running->value("pid", 0));
      return 1;
    }
    show(*running, options.as_json, "Braid is up already");
    return 0;
  }
  const std::filesystem::path directory = std::filesystem::path(daemon.socket_path).parent_path();
  std::error_code ignored;  // what cannot be made is said by who wants to write there
  if (!directory.empty()) std::filesystem::create_directories(directory, ignored);
  if (options.foreground) return run_in_foreground(daemon);
  if (options.log_path.empty()) options.log_path = directory / "up.log";
  options.log_path = std::filesystem::absolute(options.log_path);
  daemon.socket_path = std::filesystem::absolute(daemon.socket_path);
  return start_in_background(daemon, options);
}
}  // namespace

void add_up(CLI::App& app, int& exit_status) {
  CLI::App* command = app.add_subcommand("up", "Braid for the whole machine, over all its uplinks");
  command->footer(kFooter);
  auto options = std::make_shared<Options>(*command);
  CLI::Option* status = command->add_flag("--status", options->only_status,
                                          "Show the uplinks of a Braid that is up; starts none");
  command->add_flag("--json", options->as_json, "For programs");
  command
      ->add_flag("--foreground", options->foreground,
                 "Stay, log to standard error, tell the service manager (NOTIFY_SOCKET) when ready")
      ->excludes(status);
  command
      ->add_option("--log-file", options->log_path, "In the background: the log [up.log beside the socket]")
      ->type_name("FILE");
  add_socket_option(*command, options->socket_path);
  command->callback([options, &exit_status] { exit_status = run(*options); });
}

}  // namespace braid::cli
