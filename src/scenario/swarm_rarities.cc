#include "scenario/swarm_rarities.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/check.h"

namespace braid::scenario {

namespace {

constexpr uint64_t kRare = 10;  // one seed in so many, for each kind
constexpr uint64_t kSeldom = 6;
constexpr uint64_t kLatestLoss = 400;  // segments of a flow

/// With the settings of `like`.
HostSpec named(const HostSpec& like, const std::string& name) {
  HostSpec host = like;
  host.name = name;
  return host;
}

Scenario made_of(const std::string& topology) {
  auto made = parse_scenario("[topology]\n" + topology, "swarm");
  BRAID_CHECK(made.has_value());
  return std::move(*made);
}

void take_over(Scenario made, Scenario& plan) {
  plan.links = std::move(made.links);
  plan.routers = std::move(made.routers);
  plan.routes = std::move(made.routes);
  plan.events = std::move(made.events);
}

/// The link that all share is as the usual plan's first path, box and all; one host has two links to it.
void make_dumbbell(Dice& dice, Scenario& plan) {
  const uint64_t pairs = dice.between(2, 3);
  const LinkSpec narrow = plan.links.front();
  take_over(made_of(fmt::format("kind = \"dumbbell\"\npairs = {}\n", pairs)), plan);
  LinkSpec& bottleneck = plan.links.back();
  bottleneck.directions = narrow.directions;
  // Two flips in one packet can hide from the Internet checksum; what is repeated behind a box is judged
  // here.
  for (sim::LinkConfig& direction : bottleneck.directions) direction.corruption = 0;
  if (!narrow.middleboxes.empty() && narrow.middleboxes[0].kind != "nat")
    bottleneck.middleboxes = narrow.middleboxes;
  LinkSpec second = plan.links.front();
  second.name = "second";
  second.directions = narrow.directions;
  plan.links.insert(plan.links.begin() + 1, second);
  const HostSpec client = plan.hosts.front(), server = plan.hosts.back();
  plan.hosts.clear();
  for (uint64_t i = 1; i <= pairs; ++i) {
    plan.hosts.push_back(named(client, fmt::format("client{}", i)));
    plan.hosts.push_back(named(server, fmt::format("server{}", i)));
  }
}

/// Who carries it walks out of WiFi, and back or not.
void make_phone(Dice& dice, Scenario& plan) {
  const uint64_t leaves_ms = dice.between(500, 10'000);
  std::string text =
      fmt::format("kind = \"multi-homed-phone\"\ncellular_kind = \"{}\"\nleaves_wifi = \"{}ms\"\n",
                  dice.one_in(2) ? "3g" : "lte", leaves_ms);
  if (!dice.one_in(3)) text += fmt::format("returns = \"{}ms\"\n", leaves_ms + dice.between(100, 5000));
  if (dice.one_in(3)) text += "fading = \"0s\"\n";
  take_over(made_of(text), plan);
  plan.hosts = {named(plan.hosts.front(), "phone"), named(plan.hosts.back(), "server")};
}

/// Where a client has several paths, one of them.
LinkSpec* later_path(Dice& dice, Scenario& plan) {
  const auto paths = static_cast<uint64_t>(
      std::ranges::count(plan.links, "client", [](const LinkSpec& l) { return l.between[0]; }));
  return paths < 2 ? nullptr : &plan.links[dice.between(1, paths - 1)];
}

}  // namespace

Rarities draw_rarities(Dice& dice, Dice& later) {
  Rarities rarities;
  if (dice.one_in(kRare)) rarities.topology = Rarities::Topology::kDumbbell;
  if (dice.one_in(kRare)) rarities.topology = Rarities::Topology::kPhone;
  rarities.has_port_blocker = dice.one_in(kRare);
  // Not both: with two paths nobody would get through.
  rarities.loses_first_carrier = dice.one_in(kRare) && !rarities.has_port_blocker;
  rarities.restarts = dice.one_in(kRare);
  rarities.has_proxy = later.one_in(kSeldom);
  rarities.loses_options = later.one_in(kSeldom);
  rarities.has_fast_open = later.one_in(kSeldom);
  return rarities;
}

void change_network(const Rarities& rarities, Dice& dice, Scenario& plan) {
  if (rarities.topology == Rarities::Topology::kDumbbell) make_dumbbell(dice, plan);
  if (rarities.topology == Rarities::Topology::kPhone) make_phone(dice, plan);
  if (rarities.has_port_blocker) {
    // Not the first path: nobody gets past that. It is silent: a RST is believed when no other SYN was
    // answered for 3 s (mptcp/racing.cc), which on a bad first path it may not have been.
    if (LinkSpec* link = later_path(dice, plan))
      link->middleboxes.push_back({"port-blocker", {{"ports", std::string("1-32767")}}});
  }
}

void add_events(const Rarities& rarities, Dice& dice, Time heal, Scenario& plan) {
  const auto moment = [&](Duration most) {
    return Time(Duration(static_cast<int64_t>(dice.unit() * static_cast<double>(most.count()))));
  };
  if (rarities.loses_first_carrier && later_path(dice, plan) != nullptr && !plan.routers.empty()) {
    EventSpec down;
    down.at = moment(2s);
    down.subject = plan.links.front().name;
    down.is_silent = false;
    plan.events.push_back(down);  // it returns when all heal
  }
  if (rarities.restarts) {
    EventSpec restart;
    restart.at = moment(heal.time_since_epoch());
    restart.kind = EventSpec::Kind::kHostRestart;
    restart.subject = plan.hosts[dice.between(0, plan.hosts.size() - 1)].name;
    plan.events.push_back(restart);
  }
}

void settle_workloads(const Rarities& rarities, Dice& dice, Scenario& plan) {
  for (WorkloadSpec& work : plan.workloads) {
    // An address whose link has no carrier cannot be connected to; from such a host others are tried.
    if (work.from == "server" &&
        (rarities.loses_first_carrier || rarities.topology == Rarities::Topology::kPhone))
      std::swap(work.from, work.to);
    const uint64_t pair = dice.between(1, plan.hosts.size() / 2);
    for (std::string* end : {&work.from, &work.to}) {
      if (rarities.topology == Rarities::Topology::kDumbbell && plan.hosts.size() > 2)
        *end += std::to_string(pair);
      if (rarities.topology == Rarities::Topology::kPhone && *end == "client") *end = "phone";
    }
  }
}

void add_deceivers(const Rarities& rarities, Dice& later, Scenario& plan) {
  using Strings = std::vector<std::string>;
  const auto any_link = [&]() -> LinkSpec& { return plan.links[later.between(0, plan.links.size() - 1)]; };
  if (rarities.has_proxy) any_link().middleboxes.push_back({"proactive-acker", {}});
  if (rarities.loses_options) {
    static const std::vector<std::string> kDirections = {"forward", "backward", "both"};
    static const std::vector<Strings> kSegments = {{"ack", "data"}, {"ack"}, {"data"}};
    // Usually near the beginning, where most is undecided.
    const auto after = static_cast<int64_t>(later.over_magnitudes(1, static_cast<double>(kLatestLoss)));
    any_link().middleboxes.push_back({"option-remover",
                                      {{"segments", later.pick(kSegments)},
                                       {"direction", later.pick(kDirections)},
                                       {"after_segments", after}}});
  }
  if (rarities.has_fast_open) {
    // Sometimes one of them only: then the other's option, or data, are ignored.
    const bool needs_cookie = !later.one_in(3);
    for (HostSpec& host : plan.hosts) {
      mptcp::FastOpenConfig& fast_open = host.config.connection.fast_open;
      fast_open = {.as_client = !later.one_in(8),
                   .as_server = !later.one_in(8),
                   .needs_cookie = needs_cookie,
                   .waits_for_data = true};
    }
  }
}

bool may_lose_options(const Scenario& plan) {
  return std::ranges::any_of(plan.links, [](const LinkSpec& link) {
    return std::ranges::any_of(link.middleboxes, [](const MiddleboxSpec& box) {
      const auto has_after = [](const auto& option) { return option.first == "after_segments"; };
      return box.kind == "option-remover" && std::ranges::any_of(box.options, has_after);
    });
  });
}

}  // namespace braid::scenario
