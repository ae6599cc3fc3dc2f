// `braid daemon`: one Braid for all programs of the machine.
#include "service/daemon.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "cli/control_call.h"
#include "cli/daemon_options.h"
#include "cli/subcommands.h"
#include "service/control.h"

namespace braid::cli {

namespace {
constexpr const char* kFooter = R"(
It stays in the foreground and logs to standard error; SIGTERM or SIGINT ends it, and then everything that
it changed on the machine (device, policy rules, kernel parameters) is as it was. Needs root, or
CAP_NET_ADMIN. SIGHUP reads the configuration file anew: [limits], log_level, and [connection] for connections
that begin from then on. Under systemd (braid.service) it says when it serves, and logs to the journal.

Examples:
  braid daemon                                    programs under `braid run` find it by themselves
  braid daemon --config braid.toml --log debug
  braid daemon --listen 443=127.0.0.1:8443        clients come over Multipath TCP, the service is unchanged
  braid daemon --socket /run/user/0/test.sock     then BRAID_SOCKET=/run/user/0/test.sock braid run ...)";

struct Options {
  explicit Options(CLI::App& command) : config(command) {}
  ConfigOptions config;
  std::string socket_path;
  std::vector<std::string> listens;
  bool foreground = true;
};

int run(const Options& options) {
  const auto config = options.config.resolve();
  if (!config) {
    fmt::print(stderr, "braid daemon: {}\n", config.error());
    return kExitUsage;
  }
  service::DaemonOptions daemon;
  daemon.config = *config;
  for (const std::string& text : options.listens) {
    const auto spec = service::parse_listen(text);
    if (!spec) {
      fmt::print(stderr, "braid daemon: --listen {}\n", spec.error());
      return kExitUsage;
    }
    daemon.config.listens.push_back(*spec);
  }
  daemon.config_path = options.config.config_file();
  daemon.socket_path = !options.socket_path.empty()   ? options.socket_path
                       : !config->socket_path.empty() ? config->socket_path
                                                      : service::control_socket_path();
  // The working directory may be another when the file is read anew.
  if (!daemon.config_path.empty())
    daemon.config_path = std::filesystem::absolute(daemon.config_path).string();
  return service::run_daemon(daemon);
}
}  // namespace

void add_daemon(CLI::App& app, int& exit_status) {
  CLI::App* command = app.add_subcommand("daemon", "Run one Braid for many programs");
  command->footer(kFooter);
  auto options = std::make_shared<Options>(*command);
  add_socket_option(*command, options->socket_path);
  command
      ->add_option("--listen", options->listens,
                   "Listen on a port of all uplinks for a service that is not run on Braid, and carry its "
                   "connections there over the kernel's TCP (again for more): 443, 443=8443, "
                   "443=127.0.0.1:8443; \",proxy\" adds the PROXY protocol's header")
      ->type_name("PORT[=ADDRESS:PORT][,proxy]")
      ->expected(1)
      ->take_all();
  command->add_flag("--foreground", options->foreground, "The default: for service files that say so");
  command->callback([options, &exit_status] { exit_status = run(*options); });
}

}  // namespace braid::cli
