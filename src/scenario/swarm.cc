#include "scenario/swarm.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "mptcp/coupled/coupled.h"
#include "mptcp/path_manager/path_manager.h"
#include "mptcp/scheduler/scheduler.h"
#include "scenario/link_reader.h"
#include "scenario/simulation.h"
#include "scenario/swarm_dice.h"
#include "scenario/swarm_rarities.h"
#include "tcp/congestion_control.h"

namespace braid::scenario {

namespace {

constexpr Time kLastStart = Time(2s);
constexpr Duration kLiveness =
    300s;  // after the healing: generous, and nobody waits for it but a failing run

/// How strong each kind of fault is in this seed: often not at all, sometimes ten times as strong.
struct Strengths {
  double loss, bursts, reordering, duplication, corruption, jitter, cuts, changes, boxes;
};
Strengths draw_strengths(Dice& dice) {
  const auto strength = [&] { return dice.one_in(2) ? 0.0 : dice.one_in(6) ? 10.0 : 1.0; };
  return {strength(), strength(), strength(), strength(), strength(),
          strength(), strength(), strength(), strength()};
}

sim::LinkConfig draw_link(Dice& dice, const Strengths& s) {
  sim::LinkConfig link;
  link.bits_per_second = static_cast<uint64_t>(dice.over_magnitudes(1e6, 50e6));
  link.delay = Duration(static_cast<int64_t>(dice.over_magnitudes(1e5, 1e8)));
  link.queue.discipline = dice.one_in(2) ? "drop-tail" : dice.pick(sim::queue_disciplines());
  choose_queue(link);
  if (dice.one_in(4)) link.queue.limit_bytes = dice.between(15'000, 500'000);
  link.loss = std::min(0.1, s.loss * 0.01 * dice.unit());
  if (s.bursts > 0 && dice.one_in(2))
    link.bursts = {.to_bad = 0.001 * s.bursts, .to_good = 0.3, .loss_good = 0, .loss_bad = 1};
  link.reordering = std::min(0.2, s.reordering * 0.02 * dice.unit());
  link.duplication = std::min(0.1, s.duplication * 0.01 * dice.unit());
  link.corruption = std::min(0.05, s.corruption * 0.005 * dice.unit());
  link.jitter = Duration(static_cast<int64_t>(s.jitter * 2e6 * dice.unit()));
  if (dice.one_in(8)) link.mtu = static_cast<uint32_t>(dice.between(1280, 1500));
  return link;
}

/// None that a connection cannot get past; swarm_rarities.cc has one that not every path is to have. Left out
/// is proactive-acker: whoever takes its bare ACK of the first data for plain TCP's falls back, and the other
/// end, which did not, resets the connection, or sends again what no DATA_ACK covered. That is not solved
/// yet.
MiddleboxSpec draw_box(Dice& dice) {
  using Strings = std::vector<std::string>;
  static const std::vector<MiddleboxSpec> kBoxes = {
      {"nat", {}},
      {"sequence-rewriter", {}},
      {"splitter", {{"bytes", int64_t{700}}}},
      {"coalescer", {{"bytes", int64_t{1400}}}},
      {"stateful-firewall", {}},
      {"stateful-firewall", {{"drops_unseen_acks", true}}},
      {"stateful-firewall", {{"drops_after_hole", true}}},
      {"retransmission-normaliser", {}},
      {"syn-option-dropper", {}},
      {"mss-clamper", {}},
      {"mss-clamper", {{"mss", int64_t{536}}}},
      {"option-remover", {{"segments", Strings{"syn"}}}},
      {"option-remover", {{"segments", Strings{"synack"}}}},
      {"option-remover", {{"options", Strings{"add_addr"}}}},
      {"option-remover", {{"options", Strings{"sack_permitted"}}}},
      {"option-remover", {{"options", Strings{"timestamps"}}, {"segments", Strings{"syn"}}}},
  };
  return dice.pick(kBoxes);
}

HostSpec draw_host(Dice& dice, std::string name) {
  HostSpec host;
  host.name = std::move(name);
  host.config.paths.limits = {.subflows = static_cast<uint8_t>(dice.between(0, 8)), .add_addr_accepted = 8};
  mptcp::ConnectionConfig& c = host.config.connection;
  c.is_multipath = !dice.one_in(8);
  c.require_checksum = dice.one_in(3);
  c.scheduler = dice.pick(mptcp::scheduler_names());
  c.congestion_control = dice.pick(mptcp::all_congestion_control_names());
  c.autotune = !dice.one_in(4);
  if (dice.one_in(2)) c.send_buffer_bytes = static_cast<uint64_t>(dice.over_magnitudes(16e3, 4e6));
  if (dice.one_in(2)) c.receive_buffer_bytes = static_cast<uint64_t>(dice.over_magnitudes(16e3, 4e6));
  c.initial_send_buffer_bytes = std::min(c.initial_send_buffer_bytes, c.send_buffer_bytes);
  c.initial_receive_buffer_bytes = std::min(c.initial_receive_buffer_bytes, c.receive_buffer_bytes);
  c.no_delay = dice.one_in(2);
  c.opportunistic_retransmission = !dice.one_in(4);
  c.penalise = !dice.one_in(4);
  c.path_manager = dice.one_in(2) ? "endpoints" : dice.pick(mptcp::path_manager_names());
  c.labels = {0, 10};
  if (dice.one_in(2)) {
    c.open_paths.after_bytes = static_cast<uint64_t>(dice.over_magnitudes(1e3, 1e6));
    c.open_paths.after_age = Duration(static_cast<int64_t>(dice.over_magnitudes(1e7, 5e9)));
  }
  c.cap_rtt = dice.one_in(4);
  if (dice.one_in(4)) c.highest_version = mptcp::Version::kV0;
  if (dice.one_in(8)) c.lowest_version = mptcp::Version::kV1;
  c.lowest_version = std::min(c.lowest_version, c.highest_version);
  if (dice.one_in(4)) c.fastclose = mptcp::FastcloseForm::kAck;
  return host;
}

void draw_network(Dice& dice, const Strengths& strengths, Scenario& plan) {
  const bool is_routed = dice.one_in(2);
  if (is_routed) plan.routers = {"router"};
  const uint64_t paths = dice.between(1, 4);
  for (uint64_t i = 0; i < paths; ++i) {
    LinkSpec link;
    link.name = fmt::format("path{}", i + 1);
    link.between = {"client", is_routed ? "router" : "server"};
    for (sim::LinkConfig& direction : link.directions) direction = draw_link(dice, strengths);
    link.directions[1].mtu = link.directions[0].mtu;
    if (strengths.boxes > 0 && dice.one_in(2)) link.middleboxes.push_back(draw_box(dice));
    plan.links.push_back(std::move(link));
  }
  if (is_routed) {
    LinkSpec last;
    last.name = "last";
    last.between = {"router", "server"};
    for (sim::LinkConfig& direction : last.directions) direction = draw_link(dice, strengths);
    last.directions[1].mtu = last.directions[0].mtu;
    // Two flips in one packet can hide from the Internet checksum; one cannot.
    for (sim::LinkConfig& direction : last.directions) direction.corruption = 0;
    plan.links.push_back(std::move(last));
  }
}

void draw_events(Dice& dice, const Strengths& s, Time heal, Scenario& plan) {
  const auto moment = [&] {
    return Time(
        Duration(static_cast<int64_t>(dice.unit() * static_cast<double>(heal.time_since_epoch().count()))));
  };
  for (const LinkSpec& link : plan.links) {
    for (uint64_t i = 0; s.cuts > 0 && i < dice.between(0, s.cuts > 1 ? 6 : 2); ++i) {
      EventSpec down;
      down.at = moment();
      down.subject = link.name;
      down.is_silent = dice.one_in(2);
      // Who connects without a carrier is told at once: that is no failure, and not what is looked for.
      if (!down.is_silent) down.at = std::max(down.at, kLastStart + 1ms);
      EventSpec up = down;
      up.kind = EventSpec::Kind::kLinkUp;
      up.at = down.at + Duration(static_cast<int64_t>(dice.over_magnitudes(1e7, 5e9)));
      plan.events.push_back(down);
      plan.events.push_back(up);
    }
    if (s.changes > 0 && dice.one_in(2)) {
      EventSpec change;
      change.at = moment();
      change.kind = EventSpec::Kind::kLinkSet;
      change.subject = link.name;
      change.directions = link.directions;
      for (sim::LinkConfig& direction : change.directions) {
        direction.bits_per_second = static_cast<uint64_t>(dice.over_magnitudes(2e5, 50e6));
        direction.delay = Duration(static_cast<int64_t>(dice.over_magnitudes(1e5, 2e8)));
      }
      plan.events.push_back(change);
    }
  }
  for (const HostSpec& host : plan.hosts) {
    for (uint64_t i = 0; s.changes > 0 && i < dice.between(0, 3); ++i) {
      EventSpec change;
      change.at = moment();
      change.kind = EventSpec::Kind::kPolicy;
      change.subject = host.name;
      if (!dice.one_in(3)) change.scheduler = dice.pick(mptcp::scheduler_names());
      if (!dice.one_in(3)) change.congestion_control = dice.pick(mptcp::all_congestion_control_names());
      plan.events.push_back(change);
    }
  }
  // The healing: all links are up, and the first (with what is behind it) is a good one. On the others bursts
  // of losses end: they last for so many packets, and a lone path without a second one, on which the only
  // packets are retransmissions further and further apart, could be in one for minutes.
  for (const LinkSpec& link : plan.links) {
    EventSpec up;
    up.at = heal + 5s;
    up.kind = EventSpec::Kind::kLinkUp;
    up.subject = link.name;
    up.is_silent = false;
    plan.events.push_back(up);
    if (!link.directions[0].bursts && !link.directions[1].bursts) continue;
    EventSpec calm = up;
    calm.kind = EventSpec::Kind::kLinkSet;
    calm.directions = link.directions;
    for (sim::LinkConfig& direction : calm.directions) direction.bursts.reset();
    plan.events.push_back(calm);
  }
  for (const LinkSpec* link : {&plan.links.front(), &plan.links.back()}) {
    EventSpec good;
    good.at = heal + 5s;
    good.kind = EventSpec::Kind::kLinkSet;
    good.subject = link->name;
    for (sim::LinkConfig& direction : good.directions) {
      direction.bits_per_second = 20'000'000;
      direction.delay = 10ms;
      choose_queue(direction);
    }
    plan.events.push_back(good);
  }
}

void draw_workloads(Dice& dice, Scenario& plan) {
  const bool has_nat = std::ranges::any_of(plan.links, [](const LinkSpec& link) {
    return std::ranges::count(link.middleboxes, "nat", &MiddleboxSpec::kind) > 0;
  });
  for (uint64_t i = dice.between(1, 4); i > 0; --i) {
    WorkloadSpec work;
    work.from = "client";
    work.to = "server";
    work.start = Time(Duration(
        static_cast<int64_t>(dice.unit() * static_cast<double>(kLastStart.time_since_epoch().count()))));
    if (dice.one_in(4)) {
      work.kind = WorkloadSpec::Kind::kRequests;
      work.request = {.shape = Distribution::Shape::kExponential, .mean = dice.over_magnitudes(1, 1e5)};
      work.response = {.shape = Distribution::Shape::kPareto, .mean = dice.over_magnitudes(1, 1e5)};
      work.think = {.shape = Distribution::Shape::kExponential, .mean = dice.over_magnitudes(1e5, 1e8)};
      work.requests = dice.between(1, 20);
    } else {
      // Nobody connects to a host behind a NAT.
      if (dice.one_in(2) && !has_nat) std::swap(work.from, work.to);
      work.bytes = static_cast<uint64_t>(dice.over_magnitudes(1, 1.5e6));
    }
    plan.workloads.push_back(work);
  }
}

/// A restart takes the host's connections with it, and nobody is told but who asks.
bool may_be_lost(const Scenario& plan, const ConnectionResult& connection) {
  return std::ranges::any_of(plan.events, [&](const EventSpec& event) {
    return event.kind == EventSpec::Kind::kHostRestart &&
           (event.subject == connection.from || event.subject == connection.to);
  });
}

/// One line of octets, which plain TCP goes on with, is only what never had another path
/// (mptcp/plain_peer.cc). Others lose one path after the other to a box that takes the options from each, or
/// wear themselves out.
bool may_wear_out(const Scenario& plan, const ConnectionResult& connection) {
  return connection.had_further_paths && may_lose_options(plan);
}

std::string check(const Scenario& plan, const Results& results) {
  for (size_t i = 0; i < results.connections.size(); ++i) {
    const ConnectionResult& c = results.connections[i];
    if (!c.is_intact) return fmt::format("connection {}: wrong bytes were delivered", i + 1);
    const bool may_fail = may_be_lost(plan, c);
    if (may_fail && !c.is_complete && c.failure.empty())
      return fmt::format("connection {}: neither delivered nor given up, though its host was restarted",
                         i + 1);
    if (may_wear_out(plan, c)) continue;
    if (!c.failure.empty() && !may_fail) return fmt::format("connection {}: failed: {}", i + 1, c.failure);
    if (!c.is_complete && !may_fail)
      return fmt::format("connection {}: {} bytes delivered, and no more", i + 1, c.bytes);
    const auto limit = [&](const std::string& name) {
      const auto host = std::ranges::find(plan.hosts, name, &HostSpec::name);
      const mptcp::ConnectionConfig& config = host->config.connection;
      return 3 * (config.send_buffer_bytes + config.receive_buffer_bytes) + 1'000'000;
    };
    if (c.sender_memory_max > limit(c.from) || c.receiver_memory_max > limit(c.to))
      return fmt::format("connection {}: {} and {} bytes of memory", i + 1, c.sender_memory_max,
                         c.receiver_memory_max);
  }
  const double calm = 30 * static_cast<double>(results.packet_hops) + 5'000 * (results.elapsed_s + 1);
  if (static_cast<double>(results.events) > calm)
    return fmt::format("{} events for {} packets in {:.1f} s: a storm of timers", results.events,
                       results.packet_hops, results.elapsed_s);
  return "";
}

}  // namespace

Scenario plan_of(uint64_t seed, Draw draw) {
  Dice dice(seed * 0x9e3779b97f4a7c15 + 1);
  // Of another stream, so that what a seed had before these came stays what it was.
  Dice rare_dice(seed * 0x9e3779b97f4a7c15 + 2);
  Dice later_dice(seed * 0x9e3779b97f4a7c15 + 3);
  const Rarities rarities = draw == Draw::kAll ? draw_rarities(rare_dice, later_dice) : Rarities{};
  const Strengths strengths = draw_strengths(dice);
  Scenario plan;
  plan.name = fmt::format("swarm {}", seed);
  plan.seed = seed;
  plan.is_ipv6 = dice.one_in(3);
  plan.interval = 500ms;
  plan.hosts = {draw_host(dice, "client"), draw_host(dice, "server")};
  draw_network(dice, strengths, plan);
  change_network(rarities, rare_dice, plan);
  const Time heal = Time(Duration(static_cast<int64_t>(dice.over_magnitudes(1e9, 20e9))));
  // What a topology brings with it: nothing goes away after the healing.
  std::erase_if(plan.events, [&](const EventSpec& event) { return event.at >= heal; });
  draw_events(dice, strengths, heal, plan);
  add_events(rarities, rare_dice, heal, plan);
  draw_workloads(dice, plan);
  settle_workloads(rarities, rare_dice, plan);
  add_deceivers(rarities, later_dice, plan);
  plan.duration = heal.time_since_epoch() + 5s + kLiveness;
  return plan;
}

std::string violation_of(const Scenario& plan) {
  const Results results = simulate(plan);
  std::string wrong = check(plan, results);
  if (wrong.empty() && simulate(plan).to_json() != results.to_json()) wrong = "a second run went otherwise";
  return wrong;
}

Scenario shrink(Scenario plan) {
  // What went wrong, whichever connection it was: without the healing, say, anything goes wrong.
  const auto kind = [](const Scenario& candidate) {
    const std::string wrong = violation_of(candidate);
    return wrong.substr(std::min(wrong.find(": "), wrong.size()));
  };
  const std::string wanted = kind(plan);
  // Leaves out one after the other of a list, as long as it is still in violation.
  const auto try_all = [&](auto list, size_t least) {
    bool has_shrunk = false;
    for (size_t i = 0; i < (plan.*list).size() && (plan.*list).size() > least;) {
      Scenario smaller = plan;
      (smaller.*list).erase((smaller.*list).begin() + static_cast<std::ptrdiff_t>(i));
      if (kind(smaller) != wanted) {
        ++i;
        continue;
      }
      plan = std::move(smaller);
      has_shrunk = true;
    }
    return has_shrunk;
  };
  for (bool has_shrunk = true; has_shrunk;) {
    has_shrunk = try_all(&Scenario::workloads, 1);
    has_shrunk = try_all(&Scenario::events, 0) || has_shrunk;
  }
  return plan;
}

std::string describe(const Scenario& plan) {
  std::string out = fmt::format("{}: {} s{}\n", plan.name, plan.duration / 1s, plan.is_ipv6 ? ", IPv6" : "");
  for (const HostSpec& host : plan.hosts) {
    const mptcp::ConnectionConfig& c = host.config.connection;
    out += fmt::format("  {}: {}, {}, {}, {}{}, send {} and receive {} bytes\n", host.name,
                       c.is_multipath ? "multipath" : "plain TCP", c.scheduler, c.congestion_control,
                       c.path_manager, c.require_checksum ? ", checksum" : "", c.send_buffer_bytes,
                       c.receive_buffer_bytes);
  }
  for (const LinkSpec& link : plan.links) {
    const sim::LinkConfig& d = link.directions[0];
    out += fmt::format(
        "  {} {} - {}: {:.1f} Mbit/s, {:.1f} ms, {} {} bytes, mtu {}, loss {:.4f}{}, reordering {:.3f}, "
        "duplication {:.3f}, corruption {:.4f}, jitter {:.1f} ms",
        link.name, link.between[0], link.between[1], static_cast<double>(d.bits_per_second) / 1e6,
        static_cast<double>(d.delay.count()) / 1e6, d.queue.discipline, d.queue.limit_bytes, d.mtu, d.loss,
        d.bursts ? " in bursts" : "", d.reordering, d.duplication, d.corruption,
        static_cast<double>(d.jitter.count()) / 1e6);
    for (const MiddleboxSpec& box : link.middleboxes) out += fmt::format(", {}", box.kind);
    out += '\n';
  }
  static constexpr std::array<const char*, 9> kKinds = {
      "down", "up", "set", "restart", "address", "no address", "backup", "regular", "policy"};
  for (const EventSpec& e : plan.events)
    out +=
        fmt::format("  at {:.3f} s {} {} {} {}\n", static_cast<double>(e.at.time_since_epoch().count()) / 1e9,
                    e.subject, kKinds.at(static_cast<size_t>(e.kind)), e.scheduler, e.congestion_control);
  for (const WorkloadSpec& w : plan.workloads)
    out += fmt::format("  {} -> {} {} {}\n", w.from, w.to, w.requests ? "requests" : "bytes",
                       w.requests ? *w.requests : w.bytes.value_or(0));
  return out;
}

}  // namespace braid::scenario
