// `braid config`: is the configuration file right, what comes of it, which keys are there.
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cli/daemon_options.h"
#include "cli/subcommands.h"
#include "config/closest.h"
#include "service/config_check.h"
#include "service/config_keys.h"

namespace braid::cli {

namespace {
using nlohmann::json;

constexpr int kExitWarnings = 1;
constexpr int kExitErrors = 2;

constexpr const char* kFooter = R"(
Examples:
  braid config check                        /etc/braid/braid.toml, before a daemon reads it
  braid config check my.toml --json         for editors and deployment: file, line, column, text
  braid config show                         what a daemon would run with, every default filled in
  braid config keys                         every key: what it means, what it takes, its default
  braid config keys ports scheduler         of some)";

struct Options {
  std::string file;
  std::vector<std::string> keys;
  bool wants_json = false, wants_markdown = false;
};

/// The file's text; "-" is standard input. Nothing is a file that is not there and was not asked for.
tl::expected<std::string, std::string> read_text(const std::string& path) {
  std::ostringstream text;
  if (path == "-") {
    text << std::cin.rdbuf();
    return text.str();
  }
  std::ifstream file(path);
  if (!file) return tl::unexpected(fmt::format("{}: {}", path, std::strerror(errno)));
  text << file.rdbuf();
  if (file.bad() || (text.str().empty() && file.peek() != EOF)) {
    return tl::unexpected(fmt::format("{}: cannot be read", path));
  }
  return text.str();
}

json to_json(const std::vector<config::TomlFinding>& findings) {
  json out = json::array();
  for (const config::TomlFinding& f : findings) {
    out.push_back({{"line", f.line}, {"column", f.column}, {"text", f.text}});
  }
  return out;
}

int check(const Options& options) {
  const std::string path = options.file.empty() ? ConfigOptions::kDefaultPath : options.file;
  const auto text = read_text(path);
  if (!text) {
    if (options.wants_json) {
      fmt::print("{}\n", json{{"file", path}, {"ok", false}, {"error", text.error()}}.dump(2));
    } else {
      fmt::print(stderr, "braid config check: {}{}\n", text.error(),
                 options.file.empty()
                     ? ". Without a file every key has its default; name another to check it."
                     : "");
    }
    return kExitErrors;
  }
  const service::CheckedConfig checked = service::check_config(*text, path);
  const bool is_sound = checked.errors.empty();
  if (options.wants_json) {
    fmt::print("{}\n", json{{"file", path},
                            {"ok", is_sound},
                            {"errors", to_json(checked.errors)},
                            {"warnings", to_json(checked.warnings)}}
                           .dump(2));
  } else {
    for (const auto& finding : checked.errors) fmt::print("{}\n", to_text(path, finding));
    for (const auto& finding : checked.warnings) {
      fmt::print("{}\n", config::to_text(path, {finding.line, finding.column, "warning: " + finding.text}));
    }
    if (is_sound && checked.warnings.empty()) fmt::print("{}: all right\n", path);
  }
  return !is_sound ? kExitErrors : checked.warnings.empty() ? 0 : kExitWarnings;
}

json effective(const service::Config& config) {
  json out = json::object();
  for (const service::ConfigKey& key : service::config_keys()) {
    const bool is_of_list = key.table == "[connection.paths]" || key.table == "[[endpoint]]";
    if (is_of_list) continue;
    const std::string table(key.table.substr(1, key.table.size() - 2));
    out[table][std::string(key.name)] = key.value(config);
  }
  out["endpoint"] = json::array();
  for (const mptcp::PathEndpoint& e : config.host.paths.endpoints) {
    json flags = json::array();
    if (e.is_signal) flags.push_back("signal");
    if (e.is_subflow) flags.push_back("subflow");
    if (e.is_backup) flags.push_back("backup");
    if (e.is_fullmesh) flags.push_back("fullmesh");
    out["endpoint"].push_back({{"address", e.address.to_string()},
                               {"flags", std::move(flags)},
                               {"port", e.port},
                               {"id", e.id},
                               {"interface", e.interface}});
  }
  return out;
}

int show(const Options& options) {
  const bool is_default_there = access(ConfigOptions::kDefaultPath, F_OK) == 0;
  const std::string path = !options.file.empty() ? options.file
                           : is_default_there    ? ConfigOptions::kDefaultPath
                                                 : "";
  service::Config config;
  if (!path.empty()) {
    const auto text = read_text(path);
    auto read = text ? service::parse_config(*text, path) : tl::unexpected(text.error());
    if (!read) {
      fmt::print(stderr, "{}\n", read.error());
      return kExitErrors;
    }
    config = std::move(*read);
  }
  if (options.wants_json) {
    fmt::print("{}\n", effective(config).dump(2));
    return 0;
  }
  fmt::print("# {}\n\n{}",
             path.empty() ? "No file: every key has its default." : path + ", and every default.",
             service::to_toml(config));
  return 0;
}

bool is_asked_for(const service::ConfigKey& key, const Options& options) {
  if (options.keys.empty()) return true;
  for (const std::string& wanted : options.keys) {
    if (key.name == wanted || key.table == wanted || key.table == "[" + wanted + "]" ||
        key.table == "[[" + wanted + "]]")
      return true;
  }
  return false;
}

void print_keys_for_people(const std::vector<service::ConfigKey>& keys) {
  std::string_view table;
  for (const service::ConfigKey& key : keys) {
    if (key.table != table) fmt::print("{}{}\n", table.empty() ? "" : "\n", key.table);
    table = key.table;
    fmt::print("  {} = {}\n      {} (takes {})\n", key.name, service::default_of(key), key.meaning,
               key.takes);
  }
}

int keys(const Options& options) {
  std::vector<service::ConfigKey> found;
  for (const service::ConfigKey& key : service::config_keys()) {
    if (is_asked_for(key, options)) found.push_back(key);
  }
  if (found.empty()) {
    std::vector<std::string_view> names;
    const auto all = service::config_keys();
    for (const service::ConfigKey& key : all) names.push_back(key.name);
    const std::string_view meant = config::closest(options.keys[0], names);
    fmt::print(stderr, "braid config keys: there is no key or table \"{}\"{}\n", options.keys[0],
               meant.empty() ? "" : fmt::format("; did you mean \"{}\"?", meant));
    return kExitErrors;
  }
  if (options.wants_json) {
    json out = json::array();
    for (const service::ConfigKey& key : found) {
      out.push_back({{"table", key.table},
                     {"key", key.name},
                     {"takes", key.takes},
                     {"default", key.value(service::Config{})},
                     {"meaning", key.meaning}});
    }
    fmt::print("{}\n", out.dump(2));
  } else if (options.wants_markdown) {
    std::string_view table;
    for (const service::ConfigKey& key : found) {
      if (key.table != table) fmt::print("### {}\n\n{}\n", key.table, service::to_markdown(key.table));
      table = key.table;
    }
  } else {
    print_keys_for_people(found);
  }
  return 0;
}
}  // namespace

void add_config(CLI::App& app, int& exit_status) {
  CLI::App* command =
      app.add_subcommand("config", "The configuration file: check it, show what comes of it, explain it");
  command->require_subcommand(1);
  command->footer(kFooter);
  auto options = std::make_shared<Options>();
  const auto add = [&](const char* name, const char* what, int (*run)(const Options&)) {
    CLI::App* sub = command->add_subcommand(name, what);
    sub->add_flag("--json", options->wants_json, "For programs");
    sub->callback([options, run, &exit_status] { exit_status = run(*options); });
    return sub;
  };
  CLI::App* sub = add("check", "Every mistake with line and column, and what contradicts itself", check);
  sub->add_option("FILE", options->file,
                  fmt::format("[{}]; - is standard input", ConfigOptions::kDefaultPath));
  sub->footer("\nExit status: 0 all right, 1 warnings only, 2 mistakes: Braid would not start with it.");
  sub = add("show", "The configuration in effect, defaults included", show);
  sub->add_option("FILE", options->file,
                  fmt::format("[{}]; - is standard input", ConfigOptions::kDefaultPath));
  sub = add("keys", "What every key means and takes, and its default", keys);
  sub->add_option("KEY", options->keys, "Only these keys, or tables [all]");
  sub->add_flag("--markdown", options->wants_markdown, "As tables of docs/configuration.md");
}

}  // namespace braid::cli
