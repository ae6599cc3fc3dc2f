#include "io/firewall.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <optional>

#include "io/file_descriptor.h"

namespace braid::io {

namespace {
using nlohmann::json;
using Words = std::vector<std::string>;

struct Chain {
  std::string family, table, name, policy;
};

std::string comment_of(int instance) { return fmt::format("braid-{}", instance); }

/// Output of nft; nothing if it is not there or failed.
std::optional<std::string> run_nft(const Words& words) {
  std::array<int, 2> ends;
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return {};
  const FileDescriptor reader(ends[0]);
  FileDescriptor writer(ends[1]);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, writer.get(), STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::vector<char*> arguments = {const_cast<char*>("nft")};
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t child = 0;
  int error = ENOENT;
  for (const char* path : {"/usr/sbin/nft", "/sbin/nft", "/usr/bin/nft"}) {
    error = posix_spawn(&child, path, &actions, nullptr, arguments.data(), environ);
    if (error == 0) break;
  }
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return {};
  writer.reset();
  std::string output;
  std::array<char, 16384> buffer;
  ssize_t size;
  while ((size = read(reader.get(), buffer.data(), buffer.size())) > 0 || (size < 0 && errno == EINTR)) {
    if (size > 0) output.append(buffer.data(), static_cast<size_t>(size));
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return {};
  return output;
}

/// The objects of one kind ("chain", "rule") that nft lists.
std::vector<json> list(const char* kind, Words words) {
  words.insert(words.begin(), {"-j", "-a"});
  std::vector<json> result;
  const auto answer = json::parse(run_nft(words).value_or(""), nullptr, false);
  if (!answer.is_object()) return result;
  for (const json& entry : answer.value("nftables", json::array())) {
    if (entry.is_object() && entry.contains(kind)) result.push_back(entry[kind]);
  }
  return result;
}

std::vector<Chain> forward_chains() {
  std::vector<Chain> chains;
  for (const json& chain : list("chain", {"list", "chains"})) {
    if (chain.value("hook", "") != "forward" || chain.value("type", "") != "filter") continue;
    chains.push_back({chain.value("family", ""), chain.value("table", ""), chain.value("name", ""),
                      chain.value("policy", "accept")});
  }
  return chains;
}

std::vector<json> rules_of(const Chain& chain) {
  return list("rule", {"list", "chain", chain.family, chain.table, chain.name});
}

bool insert(const Chain& chain, const Words& match, int instance) {
  Words words = {"insert", "rule", chain.family, chain.table, chain.name};
  words.insert(words.end(), match.begin(), match.end());
  words.insert(words.end(), {"accept", "comment", "\"" + comment_of(instance) + "\""});
  return run_nft(words).has_value();
}
}  // namespace

FirewallPass open_firewall(int instance, const std::string& device) {
  FirewallPass pass;
  for (const Chain& chain : forward_chains()) {
    const bool drops = chain.policy == "drop";
    if (!drops && rules_of(chain).empty()) continue;
    const std::string quoted = "\"" + device + "\"";
    const bool is_open = insert(chain, {"oifname", quoted, "ct", "state", "established,related"}, instance) &&
                         insert(chain, {"iifname", quoted}, instance);
    pass.has_rules = true;
    const std::string where = fmt::format("{} {} {}", chain.family, chain.table, chain.name);
    if (!is_open) {
      pass.notices.push_back(fmt::format(
          "The firewall's chain \"{}\" may keep Braid's connections from passing, and could not be changed.",
          where));
    } else if (drops) {
      pass.notices.push_back(
          fmt::format("The firewall's chain \"{0}\" forwards nothing by itself: connections of Braid's "
                      "programs pass, new ones "
                      "from outside to them do not. To let them in: nft insert rule {0} oifname {1} accept",
                      where, device));
    }
  }
  return pass;
}

void close_firewall(int instance) {
  for (const Chain& chain : forward_chains()) {
    for (const json& rule : rules_of(chain)) {
      if (rule.value("comment", "") != comment_of(instance)) continue;
      run_nft({"delete", "rule", chain.family, chain.table, chain.name, "handle",
               std::to_string(rule.value("handle", 0))});
    }
  }
}

}  // namespace braid::io
