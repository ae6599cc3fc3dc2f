// Firewalls: what Braid sends and gets is forwarded between its device and the uplinks, so it is the forward
// hook that counts.
#include <fmt/format.h>
#include <unistd.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <tuple>

#include "doctor/checks.h"

namespace braid::doctor {

namespace {
using nlohmann::json;

using ChainName = std::tuple<std::string, std::string, std::string>;  // family, table, chain

struct Chain {
  std::string hook, policy;
  std::vector<json> rules;  // their expressions
};

ChainName name_of(const json& object, const char* chain_key) {
  return {object.value("family", ""), object.value("table", ""), object.value(chain_key, "")};
}

std::map<ChainName, Chain> chains_of(const json& ruleset) {
  std::map<ChainName, Chain> chains;
  if (!ruleset.is_object()) return chains;
  for (const json& entry : ruleset.value("nftables", json::array())) {
    if (entry.contains("chain")) {
      const json& chain = entry["chain"];
      Chain& made = chains[name_of(chain, "name")];
      made.hook = chain.value("hook", "");
      made.policy = chain.value("policy", "");
    } else if (entry.contains("rule")) {
      const json& rule = entry["rule"];
      chains[name_of(rule, "chain")].rules.push_back(rule.value("expr", json::array()));
    }
  }
  return chains;
}

bool has_verdict(const json& rule, std::initializer_list<const char*> verdicts) {
  for (const json& statement : rule) {
    for (const char* verdict : verdicts) {
      if (statement.is_object() && statement.contains(verdict)) return true;
    }
  }
  return false;
}

bool has_condition(const json& rule) {
  for (const json& statement : rule) {
    if (statement.is_object() && (statement.contains("match") || statement.contains("xt"))) return true;
  }
  return false;
}

/// Lets Braid's device through, by name or since it lets everything through.
bool accepts_braid(const json& rule) {
  if (!has_verdict(rule, {"accept"})) return false;
  return !has_condition(rule) || rule.dump().find("braid") != std::string::npos;
}

std::string remedy(const ChainName& name) {
  const auto& [family, table, chain] = name;
  return fmt::format(
      "sudo nft insert rule {0} {1} {2} iifname '\"braid*\"' accept\n"
      "sudo nft insert rule {0} {1} {2} oifname '\"braid*\"' accept",
      family, table, chain);
}

void judge_forwarding(const ChainName& name, const Chain& chain, Findings& findings) {
  const auto& [family, table, title] = name;
  bool drops = chain.policy == "drop";
  for (const json& rule : chain.rules) {
    if (accepts_braid(rule)) return;
    if (!has_condition(rule) && has_verdict(rule, {"drop", "reject"})) {
      drops = true;
      break;
    }
  }
  if (!drops) return;
  findings.push_back(
      {Severity::kBlocks, "firewall",
       fmt::format("nftables {} {} {} drops what is forwarded, and no rule lets braid* through", family,
                   table, title),
       "everything that Braid sends and gets is forwarded between its device and the uplinks", remedy(name)});
}

// Linux names the option since nftables 1.0.2; before it was its number.
bool speaks_of_mptcp(const json& rule) {
  const std::string text = rule.dump();
  return text.find("tcp option") != std::string::npos &&
         (text.find("mptcp") != std::string::npos || text.find("\"base\":30") != std::string::npos);
}

void judge_options(const ChainName& name, const Chain& chain, Findings& findings) {
  const auto& [family, table, title] = name;
  for (const json& rule : chain.rules) {
    const bool removes = has_verdict(rule, {"reset", "mangle"});
    const bool drops = has_verdict(rule, {"drop", "reject", "queue"});
    if (!speaks_of_mptcp(rule) || (!removes && !drops)) continue;
    findings.push_back(
        {Severity::kWarning, "firewall",
         fmt::format("a rule of nftables {} {} {} {} the MPTCP option", family, table, title,
                     removes ? "changes or removes" : "drops segments with"),
         removes ? "connections become plain TCP" : "connections come up late, as plain TCP",
         fmt::format(
             "sudo nft -a list chain {} {} {}   # its handle, then\nsudo nft delete rule {} {} {} handle N",
             family, table, title, family, table, title)});
  }
}

// What iptables-nft has is in nft's list, too.
void check_legacy_iptables(Findings& findings) {
  for (const char* program : {"iptables-legacy", "ip6tables-legacy"}) {
    std::istringstream lines(output_of(fmt::format("{} -S FORWARD", program)));
    std::string line;
    bool drops = false, lets_through = false;
    while (std::getline(lines, line)) {
      if (line == "-P FORWARD DROP") drops = true;
      if (line.find("braid") != std::string::npos && line.find("ACCEPT") != std::string::npos)
        lets_through = true;
    }
    if (!drops || lets_through) continue;
    findings.push_back(
        {Severity::kBlocks, "firewall", fmt::format("{}: the policy of FORWARD is DROP", program),
         "everything that Braid sends and gets is forwarded between its device and the uplinks",
         fmt::format("sudo {0} -I FORWARD -i braid+ -j ACCEPT\nsudo {0} -I FORWARD -o braid+ -j ACCEPT",
                     program)});
  }
}
}  // namespace

Findings judge_nft_ruleset(const std::string& text) {
  Findings findings;
  for (const auto& [name, chain] : chains_of(json::parse(text, nullptr, false))) {
    if (chain.hook == "forward") judge_forwarding(name, chain, findings);
    judge_options(name, chain, findings);
  }
  return findings;
}

Findings check_firewall() {
  const std::string ruleset = output_of("nft -j list ruleset");
  Findings findings = judge_nft_ruleset(ruleset);
  check_legacy_iptables(findings);
  if (!findings.empty()) return findings;
  if (ruleset.empty()) {
    const bool is_root = geteuid() == 0;
    return {{Severity::kNote, "firewall", is_root ? "there is no nft to ask" : "only root may read the rules",
             "a firewall that drops what is forwarded would stop Braid",
             is_root ? "sudo apt install nftables   # it is asked, and changes nothing by itself"
                     : "sudo braid doctor"}};
  }
  return {{Severity::kFine, "firewall", "no rule stands in the way of what is forwarded", "", ""}};
}

}  // namespace braid::doctor
