// `braid policy`: are the rules sound, and which of them decides?
#include "service/policy.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/subcommands.h"

namespace braid::cli {

namespace {
constexpr const char* kFooter = R"(
A file of rules says which programs, and which of their connections, use Braid. The first rule that fits decides;
where none fits, it is Braid.

  [[rule]]
  name = "office"                        # for messages
  destination = ["198.51.100.0/24"]      # or one; for listening: the address that is listened on
  port = [22, "8000-8999"]
  action = "kernel"                      # "braid", "kernel", "capture"

  [[rule]]
  program = ["ssh", "/opt/*/bin/mosh"]   # names, or paths; with * and ?
  user = "alice"
  action = "braid"
  scheduler = "redundant"                # any key of [connection]

The exit status is 0, or 1 if the file is not sound. docs/policy.md has every key.

Examples:
  braid policy check rules.toml
  braid policy check rules.toml --explain ssh 192.0.2.7 22
  braid policy check rules.toml --explain nginx 0.0.0.0 80 --listen --user www-data --json
  braid run --policy rules.toml -- make download)";

struct Options {
  std::string file, user;
  std::vector<std::string> explain;
  bool listens = false, as_json = false;
};

tl::expected<service::PolicyQuestion, std::string> read_question(const Options& options) {
  service::PolicyQuestion question;
  question.program = options.explain[0];
  question.uid = getuid();
  question.use = options.listens ? service::PolicyUse::kListen : service::PolicyUse::kConnect;
  const auto address = wire::IpAddress::parse(options.explain[1]);
  if (!address) return tl::unexpected(fmt::format("\"{}\" is no address", options.explain[1]));
  const std::string& port = options.explain[2];
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), question.endpoint.port);
  if (error != std::errc() || end != port.data() + port.size() || question.endpoint.port == 0) {
    return tl::unexpected(fmt::format("\"{}\" is no port", port));
  }
  question.endpoint.address = *address;
  if (options.user.empty()) return question;
  if (const passwd* entry = getpwnam(options.user.c_str())) {
    question.uid = entry->pw_uid;
    return question;
  }
  const auto [last, wrong] =
      std::from_chars(options.user.data(), options.user.data() + options.user.size(), question.uid);
  if (wrong == std::errc() && last == options.user.data() + options.user.size()) return question;
  return tl::unexpected(fmt::format("there is no user \"{}\"", options.user));
}

int explain(const Options& options, const service::Policy& policy) {
  const auto question = read_question(options);
  if (!question) {
    fmt::print(stderr, "braid policy: {}\n", question.error());
    return kExitUsage;
  }
  const service::PolicyRule* const rule = policy.decide(*question);
  const auto action = rule != nullptr ? rule->action : service::PolicyAction::kBraid;
  const auto start = policy.decide_start(question->program, question->uid);
  if (options.as_json) {
    nlohmann::json out = {{"action", service::to_string(action)}, {"start", service::to_string(start)}};
    out["rule"] =
        rule == nullptr ? nlohmann::json() : nlohmann::json{{"name", rule->name}, {"line", rule->line}};
    fmt::print("{}\n", out.dump(2));
    return 0;
  }
  if (rule == nullptr) {
    fmt::print("braid: no rule fits\n");
  } else {
    fmt::print("{}: \"{}\", {}:{}\n", service::to_string(action), rule->name, options.file, rule->line);
  }
  if (start == service::PolicyAction::kKernel) fmt::print("`braid run` starts the program without Braid\n");
  if (start == service::PolicyAction::kCapture) fmt::print("`braid run` starts the program with --capture\n");
  return 0;
}

int check(const Options& options) {
  const auto policy = service::read_policy(options.file);
  if (!policy) {
    if (options.as_json) fmt::print("{}\n", nlohmann::json{{"error", policy.error()}}.dump(2));
    fmt::print(stderr, "{}\n", policy.error());
    return 1;
  }
  if (!options.explain.empty()) return explain(options, *policy);
  const size_t count = policy->rules().size();
  if (options.as_json) {
    fmt::print("{}\n", nlohmann::json{{"rules", count}}.dump(2));
  } else {
    fmt::print("{}: {} rule{}, all sound\n", options.file, count, count == 1 ? "" : "s");
  }
  return 0;
}
}  // namespace

void add_policy(CLI::App& app, int& exit_status) {
  CLI::App* command = app.add_subcommand("policy", "Rules: which programs and connections use Braid");
  command->require_subcommand(1);
  command->footer(kFooter);
  CLI::App* subcommand =
      command->add_subcommand("check", "Whether a file of rules is sound, and what it decides");
  subcommand->footer(kFooter);
  auto options = std::make_shared<Options>();
  subcommand->add_option("FILE", options->file, "The rules")->required();
  subcommand
      ->add_option("--explain", options->explain, "Which rule decides about a connection of the program")
      ->type_name("PROGRAM ADDRESS PORT")
      ->expected(3);
  subcommand->add_option("--user", options->user, "Whose program it is [yours]")->type_name("NAME");
  subcommand->add_flag("--listen", options->listens, "It listens there, and does not connect to it");
  subcommand->add_flag("--json", options->as_json, "For programs");
  subcommand->callback([options, &exit_status] { exit_status = check(*options); });
}

}  // namespace braid::cli
