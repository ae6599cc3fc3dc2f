// `braid doctor`: what on this host stands in Braid's way, and what to do.
#include <fmt/format.h>
#include <netdb.h>
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/daemon_options.h"
#include "cli/elf.h"
#include "cli/subcommands.h"
#include "doctor/checks.h"
#include "service/control.h"

namespace braid::cli {

namespace {
using doctor::Finding;
using doctor::Findings;
using doctor::Severity;

constexpr const char* kFooter = R"(
Changes nothing. Exit status: 0 nothing stands in the way, 1 warnings, 2 something blocks Braid.

Examples:
  sudo braid doctor                               as root it sees the firewall's rules, too
  braid doctor -- /usr/bin/foo                    can `braid run` reach this program?
  sudo braid doctor --reach example.org:443       do the paths there carry MPTCP? (a SYN by each uplink)
  braid doctor --json | jq '.findings[] | select(.severity != "fine")')";

struct Options {
  std::string config_path, reach;
  std::vector<std::string> program;
  bool wants_json = false;
};

Finding check_program(const std::string& program) {
  const std::string path = find_program(program);
  if (path.empty() || access(path.c_str(), X_OK) != 0) {
    return {Severity::kBlocks, "program", fmt::format("there is no program {}", program), "",
            "which " + program};
  }
  switch (preload_of(program)) {
    case Preload::kWorks:
      return {Severity::kFine, "program", path + " is dynamically linked: the preloaded library reaches it",
              "", ""};
    case Preload::kStatic:
      return {Severity::kBlocks, "program", path + " is statically linked",
              "the preloaded library does not reach it: it goes on with the kernel's TCP",
              fmt::format("braid run --capture -- {}", path)};
    case Preload::kGo:
      return {Severity::kBlocks, "program", path + " is written in Go, which makes its system calls itself",
              "the preloaded library does not reach it: it goes on with the kernel's TCP",
              fmt::format("braid run --capture -- {}", path)};
    case Preload::kPrivileged:
      return {Severity::kBlocks, "program",
              path + " gains privileges when it starts (set-user-ID, or file capabilities)",
              "the loader ignores preloaded libraries for it",
              fmt::format("braid run --capture -- {}", path)};
    case Preload::kUnknown:
      break;
  }
  return {Severity::kNote, "program", path + " is no 64-bit ELF program: a script, mostly",
          "its interpreter is what counts",
          fmt::format("braid doctor -- $(head -n1 {} | sed 's/^#! *//; s/ .*//')", path)};
}

/// "host:port", "[2001:db8::1]:443"; a name is looked up, all of its addresses.
tl::expected<std::vector<wire::Endpoint>, std::string> look_up(const std::string& text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos) return tl::unexpected(text + " needs a port: HOST:PORT");
  std::string host = text.substr(0, colon);
  const std::string port = text.substr(colon + 1);
  if (host.size() > 2 && host.front() == '[') host = host.substr(1, host.size() - 2);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found); error != 0) {
    return tl::unexpected(fmt::format("{}: {}", text, gai_strerror(error)));
  }
  std::vector<wire::Endpoint> endpoints;
  for (const addrinfo* entry = found; entry != nullptr; entry = entry->ai_next) {
    char name[NI_MAXHOST], service[NI_MAXSERV];
    getnameinfo(entry->ai_addr, entry->ai_addrlen, name, sizeof(name), service, sizeof(service),
                NI_NUMERICHOST | NI_NUMERICSERV);
    if (const auto address = wire::IpAddress::parse(name)) {
      endpoints.push_back({*address, static_cast<uint16_t>(std::stoi(service))});
    }
  }
  freeaddrinfo(found);
  return endpoints;
}

void add(Findings& all, const Findings& more) { all.insert(all.end(), more.begin(), more.end()); }

tl::expected<Findings, std::string> examine(const Options& options) {
  Findings all;
  service::Config config;
  const std::string path = !options.config_path.empty()                     ? options.config_path
                           : access(ConfigOptions::kDefaultPath, F_OK) == 0 ? ConfigOptions::kDefaultPath
                                                                            : "";
  if (!path.empty()) {
    auto read = service::read_config(path);
    if (read) {
      config = std::move(*read);
      for (const std::string& warning : config.warnings) {
        all.push_back({Severity::kWarning, "config", warning, "", "braid config check " + path});
      }
    } else {
      all.push_back({Severity::kBlocks, "config", read.error(), "Braid does not start with it",
                     "braid config check " + path});
    }
  }
  bool has_daemon = false;
  const std::string socket_path =
      config.socket_path.empty() || std::getenv(service::kSocketVariable) != nullptr
          ? service::control_socket_path()
          : config.socket_path;
  const Findings daemon = doctor::check_daemon(socket_path, has_daemon);
  add(all, doctor::check_privileges(has_daemon));
  add(all, daemon);
  add(all, doctor::check_uplinks(config.network));
  add(all, doctor::check_kernel(config.network));
  add(all, doctor::check_firewall());
  if (!options.program.empty()) all.push_back(check_program(options.program[0]));
  if (!options.reach.empty()) {
    const auto remotes = look_up(options.reach);
    if (!remotes) return tl::unexpected(remotes.error());
    for (const wire::Endpoint& remote : *remotes) add(all, doctor::check_reach(remote, config.network));
  }
  return all;
}

void print_indented(const char* title, const std::string& text) {
  std::istringstream lines(text);
  std::string line;
  for (bool is_first = true; std::getline(lines, line); is_first = false) {
    fmt::print("           {:<10}{}\n", is_first ? title : "", line);
  }
}

void print_for_people(const Findings& findings) {
  for (const Finding& f : findings) {
    fmt::print("{:<10} {}\n", f.severity == Severity::kBlocks ? "BLOCKS" : to_string(f.severity), f.what);
    if (!f.consequence.empty()) print_indented("so", f.consequence);
    if (!f.remedy.empty()) print_indented("do", f.remedy);
  }
}

int run(const Options& options) {
  const auto findings = examine(options);
  if (!findings) {
    fmt::print(stderr, "braid doctor: {}\n", findings.error());
    return kExitUsage;
  }
  const Severity worst = worst_of(*findings);
  if (options.wants_json) {
    nlohmann::json list = nlohmann::json::array();
    for (const Finding& f : *findings) {
      list.push_back({{"check", f.check},
                      {"severity", to_string(f.severity)},
                      {"what", f.what},
                      {"consequence", f.consequence},
                      {"remedy", f.remedy}});
    }
    fmt::print("{}\n", nlohmann::json{{"worst", to_string(worst)}, {"findings", std::move(list)}}.dump(2));
  } else {
    print_for_people(*findings);
  }
  return worst == Severity::kBlocks ? 2 : worst == Severity::kWarning ? 1 : 0;
}
}  // namespace

void add_doctor(CLI::App& app, int& exit_status) {
  CLI::App* command =
      app.add_subcommand("doctor", "What on this host stands in the way, and what to do about it");
  command->footer(kFooter);
  auto options = std::make_shared<Options>();
  command
      ->add_option("--config", options->config_path,
                   fmt::format("Configuration file [{}]", ConfigOptions::kDefaultPath))
      ->type_name("FILE");
  command
      ->add_option("--reach", options->reach, "Send a SYN with MP_CAPABLE there by each uplink; needs root")
      ->type_name("HOST:PORT");
  command->add_flag("--json", options->wants_json, "For programs");
  command->add_option("PROGRAM", options->program,
                      "After --: can it be reached by `braid run`? (its arguments are ignored)");
  command->callback([options, &exit_status] { exit_status = run(*options); });
}

}  // namespace braid::cli
