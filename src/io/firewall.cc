#include "io/firewall.h"

#include <fmt/format.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <nftables/libnftables.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>

namespace braid::io {

using nlohmann::json;

namespace {

struct FreeContext {
  void operator()(nft_ctx* context) const { nft_ctx_free(context); }
};

struct Chain {
  std::string name;  // "ip filter FORWARD", as commands take it
  bool drops_by_policy = false;
};

/// One conversation with the kernel's nftables.
class Nftables {
 public:
  Nftables() : context_(nft_ctx_new(NFT_CTX_DEFAULT)) {
    if (context_ == nullptr) return;
    nft_ctx_buffer_output(context_.get());
    nft_ctx_buffer_error(context_.get());
    nft_ctx_output_set_flags(context_.get(), NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_HANDLE);
  }

  /// What the command lists; empty if it failed.
  json list(const std::string& command) {
    if (!run(command).empty()) return json::array();
    const json answer = json::parse(nft_ctx_get_output_buffer(context_.get()), nullptr, false);
    return answer.is_object() ? answer.value("nftables", json::array()) : json::array();
  }

  /// Empty, or what nftables says against it.
  std::string run(const std::string& command) {
    if (context_ == nullptr) return "no memory";
    if (nft_run_cmd_from_buffer(context_.get(), command.c_str()) == 0) return {};
    const std::string error = nft_ctx_get_error_buffer(context_.get());
    return error.empty() ? "refused" : error.substr(0, error.find('\n'));
  }

 private:
  std::unique_ptr<nft_ctx, FreeContext> context_;
};

// The commands have no way to quote a name.
bool is_plain(const std::string& name) {
  return !name.empty() && std::ranges::all_of(name, [](unsigned char c) {
    return std::isalnum(c) || c == '_' || c == '-' || c == '.';
  });
}

std::vector<Chain> forward_chains(Nftables& nftables) {
  std::vector<Chain> chains;
  for (const json& entry : nftables.list("list chains")) {
    const auto chain = entry.find("chain");
    if (chain == entry.end() || chain->value("hook", "") != "forward") continue;
    const std::string family = chain->value("family", ""), table = chain->value("table", ""),
                      name = chain->value("name", "");
    const bool is_ours_to_see = family == "ip" || family == "ip6" || family == "inet";
    if (!is_ours_to_see || !is_plain(table) || !is_plain(name)) continue;
    chains.push_back({fmt::format("{} {} {}", family, table, name), chain->value("policy", "") == "drop"});
  }
  return chains;
}

std::string comment_of(int instance) { return fmt::format("braid instance {}", instance); }

// Whether a rule may keep a packet from going on: by itself, or by what it leads to.
bool may_drop(const json& rule) {
  for (const json& statement : rule.value("expr", json::array())) {
    for (const char* verdict : {"drop", "reject", "jump", "goto", "queue", "xt", "vmap"}) {
      if (statement.contains(verdict)) return true;
    }
  }
  return false;
}

struct ChainRules {
  bool may_drop = false;
  std::vector<uint64_t> ours;  // handles
};

ChainRules read_rules(Nftables& nftables, const Chain& chain, int instance) {
  ChainRules result{.may_drop = chain.drops_by_policy, .ours = {}};
  for (const json& entry : nftables.list("list chain " + chain.name)) {
    const auto rule = entry.find("rule");
    if (rule == entry.end()) continue;
    const std::string comment = rule->value("comment", "");
    if (comment == comment_of(instance)) {
      result.ours.push_back(rule->value("handle", uint64_t{0}));
    } else if (!comment.starts_with("braid instance ")) {
      result.may_drop = result.may_drop || may_drop(*rule);
    }
  }
  return result;
}

std::vector<std::string> matches_for(const Firewall::Traffic& traffic) {
  std::vector<std::string> matches = {fmt::format("iifname \"{}\"", traffic.device)};
  const std::string inbound = fmt::format("oifname \"{}\"", traffic.device);
  matches.push_back(traffic.mode == FirewallMode::kOpen
                        ? inbound
                        : fmt::format("{} tcp dport {}-{}", inbound, traffic.first_port, traffic.last_port));
  return matches;
}

FileDescriptor open_notices() {
  FileDescriptor fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_NETFILTER));
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  address.nl_groups = 1u << (NFNLGRP_NFTABLES - 1);
  if (fd && bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) fd.reset();
  return fd;
}

// The old iptables, which nftables does not show.
bool has_legacy_filter() {
  for (const char* path : {"/proc/net/ip_tables_names", "/proc/net/ip6_tables_names"}) {
    std::ifstream names(path);
    for (std::string name; std::getline(names, name);) {
      if (name == "filter") return true;
    }
  }
  return false;
}
}  // namespace

Firewall::Firewall(Traffic traffic) : traffic_(std::move(traffic)), notices_(open_notices()) {}

void Firewall::drain() {
  std::array<std::byte, 8192> notices;
  while (recv(notices_.get(), notices.data(), notices.size(), 0) > 0 || errno == ENOBUFS || errno == EINTR) {
  }
}

void Firewall::sync() {
  Nftables nftables;
  chains_.clear();
  failure_.clear();
  for (const Chain& chain : forward_chains(nftables)) {
    const ChainRules rules = read_rules(nftables, chain, traffic_.instance);
    if (!rules.may_drop) continue;
    chains_.push_back(chain.name);
    if (traffic_.mode == FirewallMode::kLeave || !rules.ours.empty()) continue;
    for (const std::string& match : matches_for(traffic_)) {
      const std::string error = nftables.run(fmt::format("insert rule {} {} counter accept comment \"{}\"",
                                                         chain.name, match, comment_of(traffic_.instance)));
      if (!error.empty()) failure_ = fmt::format("{}: {}", chain.name, error);
    }
  }
}

std::vector<std::string> Firewall::warnings() const {
  std::vector<std::string> result;
  if (traffic_.mode == FirewallMode::kLeave) {
    for (const std::string& chain : chains_) {
      result.push_back(
          fmt::format("the firewall chain {} may drop what Braid sends and gets, which is forwarded from and "
                      "to {}: accept it "
                      "there, or start Braid with --firewall replies",
                      chain, traffic_.device));
    }
  }
  if (!failure_.empty())
    result.push_back("cannot let Braid's packets through the firewall chain " + failure_);
  if (has_legacy_filter()) {
    result.push_back(
        fmt::format("legacy iptables is in use, which Braid cannot look into; if connections get no answer: "
                    "iptables-legacy -I "
                    "FORWARD -i {0} -j ACCEPT; iptables-legacy -I FORWARD -o {0} -j ACCEPT",
                    traffic_.device));
  }
  return result;
}

void remove_firewall_rules(int instance) {
  Nftables nftables;
  for (const Chain& chain : forward_chains(nftables)) {
    for (const uint64_t handle : read_rules(nftables, chain, instance).ours) {
      nftables.run(fmt::format("delete rule {} handle {}", chain.name, handle));
    }
  }
}

}  // namespace braid::io
