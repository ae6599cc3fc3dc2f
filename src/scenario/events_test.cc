// Events that happen to hosts: what the engine says of them on the wire, and what becomes of subflows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "scenario/simulation.h"

namespace braid::scenario {
namespace {

using mptcp::Counter;
using testing::HasSubstr;

constexpr const char* kTwoPaths = R"(
duration = "9s"
[links.one]
between = ["client", "server"]
rate = "10 Mbit/s"
delay = "10ms"
[links.two]
between = ["client", "server"]
rate = "10 Mbit/s"
delay = "20ms"
[[workload]]
from = "client"
to = "server"
)";

std::string event(const std::string& at, const std::string& host, const std::string& link,
                  const std::string& action) {
  return "[[event]]\nat = \"" + at + "\"\nhost = \"" + host + "\"\nlink = \"" + link + "\"\naction = \"" +
         action + "\"\n";
}

/// A run, to be asked what happened when.
struct Observed {
  Results results;
  uint64_t counter(const std::string& host, Counter which) const {
    for (const HostResult& found : results.hosts) {
      if (found.name == host) return found.counters[which];
    }
    ADD_FAILURE() << host;
    return 0;
  }
  /// Mbit/s delivered between two seconds.
  double goodput(double from, double to) const {
    double sum = 0;
    for (const Sample& s : results.series) {
      if (s.subject == "connection 1" && std::string(s.quantity) == "goodput" && s.time_s > from &&
          s.time_s <= to)
        sum += s.value * 0.1;
    }
    return sum / (to - from) / 1e6;
  }
  /// How many subflows there were, at that time.
  size_t subflows(double at) const {
    size_t count = 0;
    for (const Sample& s : results.series)
      count += std::string(s.quantity) == "cwnd" && s.time_s > at - 0.05 && s.time_s < at + 0.05 ? 1 : 0;
    return count;
  }
};

Observed run(const std::string& events, const std::vector<Override>& overrides = {}) {
  const auto scenario = parse_scenario(kTwoPaths + events, "test.toml", overrides);
  EXPECT_TRUE(scenario.has_value()) << (scenario ? "" : scenario.error());
  if (!scenario) return {};
  SimulationOptions options;
  options.records_series = true;
  Observed made{run_simulation(*scenario, options).value()};
  EXPECT_TRUE(made.results.is_sound());
  return made;
}

TEST(HostEvents, NothingHappensWithoutThem) {
  const Observed quiet = run("");
  EXPECT_EQ(quiet.counter("client", Counter::kRmAddrTx), 0u);
  EXPECT_EQ(quiet.counter("client", Counter::kMpPrioTx), 0u);
  EXPECT_EQ(quiet.counter("server", Counter::kAddAddrTx), 1u);
  EXPECT_GT(quiet.goodput(1, 9), 17);
}

TEST(HostEvents, ARemovedAddressIsWithdrawnAndItsSubflowsClose) {
  const Observed gone = run(event("3s", "client", "two", "remove-address"));
  EXPECT_GE(gone.counter("client", Counter::kRmAddrTx), 1u);
  EXPECT_GE(gone.counter("server", Counter::kRmAddrRx), 1u);
  EXPECT_GT(gone.subflows(2), 1u);
  EXPECT_LT(gone.subflows(5), gone.subflows(2));
  EXPECT_GT(gone.goodput(1, 3), 17);
  EXPECT_NEAR(gone.goodput(5, 9), 9.5, 0.5);  // what is left is used
}

TEST(HostEvents, AnAddressThatComesBackIsUsedAgain) {
  const Observed back =
      run(event("3s", "client", "two", "remove-address") + event("6s", "client", "two", "add-address"));
  EXPECT_NEAR(back.goodput(4, 6), 9.5, 0.5);
  EXPECT_GT(back.goodput(7, 9), 17);
  EXPECT_EQ(back.subflows(8), back.subflows(2));
}

TEST(HostEvents, TheServersNewAddressIsAnnounced) {
  const std::string none = event("8.9s", "server", "two", "add-address");
  const Observed late = run(event("4s", "server", "two", "add-address"));
  EXPECT_GE(late.counter("server", Counter::kAddAddrTx), 1u);
  EXPECT_GE(late.counter("client", Counter::kAddAddrRx), 1u);
  EXPECT_LT(late.goodput(1, 4), 10);
  EXPECT_EQ(late.subflows(3), 1u);
  EXPECT_GT(late.goodput(6, 9), 17);
  EXPECT_GT(late.subflows(6), 1u);
  EXPECT_LT(run(none).goodput(1, 8.5), 10);
}

TEST(HostEvents, TheServersAddressIsWithdrawnAndAnnouncedAnew) {
  const Observed there =
      run(event("3s", "server", "two", "remove-address") + event("6s", "server", "two", "add-address"));
  EXPECT_GE(there.counter("server", Counter::kRmAddrTx), 1u);
  EXPECT_GE(there.counter("server", Counter::kAddAddrTx), 2u);
  EXPECT_NEAR(there.goodput(4, 6), 9.5, 0.5);
  EXPECT_GT(there.goodput(7, 9), 17);
}

// The connection lives on where its first address goes.
TEST(HostEvents, TheFirstAddressMayGo) {
  const Observed gone =
      run(event("3s", "client", "one", "remove-address") + event("6s", "client", "one", "add-address"));
  EXPECT_NEAR(gone.goodput(4, 6), 9.5, 0.5);
  EXPECT_GT(gone.goodput(7.5, 9), 17);
  EXPECT_LT(gone.results.connections[0].longest_gap_s, 1.0);
}

double share_of_link(const Observed& run, const std::string& link) {
  double of_link = 0, all = 0;
  for (const LinkResult& l : run.results.links) {
    if (l.direction != "forward") continue;
    all += static_cast<double>(l.bytes);
    if (l.name == link) of_link = static_cast<double>(l.bytes);
  }
  return of_link / all;
}

TEST(HostEvents, ABackupIsLeftAloneUntilItIsRegular) {
  const Observed backup = run(event("3s", "client", "two", "backup"));
  EXPECT_GE(backup.counter("client", Counter::kMpPrioTx), 1u);
  EXPECT_GE(backup.counter("server", Counter::kMpPrioRx), 1u);
  EXPECT_NEAR(backup.goodput(4, 9), 9.5, 0.5);
  EXPECT_EQ(backup.subflows(8), backup.subflows(2));  // it is there, but carries nothing
  size_t backups = 0;
  for (const SubflowResult& s : backup.results.connections[0].subflows) backups += s.is_backup ? 1 : 0;
  EXPECT_GE(backups, 1u);
  const Observed again =
      run(event("3s", "client", "two", "backup") + event("6s", "client", "two", "regular"));
  EXPECT_GT(again.goodput(7, 9), 17);
  EXPECT_GT(share_of_link(again, "two"), share_of_link(backup, "two") + 0.1);
  for (const SubflowResult& s : again.results.connections[0].subflows) EXPECT_FALSE(s.is_backup);
}

// MP_PRIO from the receiver: the sender is to leave the path alone.
TEST(HostEvents, TheServersBackupHoldsForTheSender) {
  const Observed backup = run(event("3s", "server", "one", "backup"));
  EXPECT_GE(backup.counter("server", Counter::kMpPrioTx), 1u);
  EXPECT_GE(backup.counter("client", Counter::kMpPrioRx), 1u);
}

TEST(HostEvents, ABackupTakesOverWhenTheOtherPathDies) {
  const Observed run_over = run(event("2s", "client", "two", "backup") +
                                "[[event]]\nat = \"4s\"\nlink = \"one\"\nsilent = false\n");
  EXPECT_NEAR(run_over.goodput(6, 9), 9.5, 0.5);
}

TEST(HostEvents, SayWhatIsWrong) {
  const auto error = [](const std::string& events) {
    const auto scenario = parse_scenario(kTwoPaths + events, "test.toml");
    return scenario ? "" : scenario.error();
  };
  EXPECT_THAT(error(event("1s", "client", "tow", "backup")),
              HasSubstr("which of the host's? client has one, two"));
  EXPECT_THAT(error(event("1s", "client", "two", "restart")), HasSubstr("say action = \"remove-address\""));
  EXPECT_THAT(error(event("1s", "client", "two", "bakcup")), HasSubstr("did you mean \"backup\"?"));
  EXPECT_THAT(error(event("1s", "client", "one", "add-address")), HasSubstr("is the host's first"));
  EXPECT_THAT(error("[[event]]\nat=1\nhost=\"clint\"\n"), HasSubstr("there is no host \"clint\""));
}

std::string policy_event(const std::string& at, const std::string& change) {
  return "[[event]]\nat = \"" + at + "\"\nhost = \"client\"\n" + change + "\n";
}

TEST(PolicyEvents, ChangeTheSchedulerWhileDataFlow) {
  const auto scenario = parse_scenario(
      kTwoPaths + policy_event("3s", "scheduler = \"redundant\"") + policy_event("6s", "scheduler = \"ecf\""),
      "policy");
  ASSERT_TRUE(scenario.has_value()) << scenario.error();
  SimulationOptions options;
  options.records_series = true;
  const Observed seen{run_simulation(*scenario, options).value()};
  EXPECT_TRUE(seen.results.is_sound());
  EXPECT_GT(seen.goodput(1.5, 3), 16);
  EXPECT_LT(seen.goodput(4, 6), 12) << "both paths carry the same";
  EXPECT_GT(seen.goodput(7, 9), 15);
  EXPECT_GT(seen.results.connections[0].wasted_bytes, 2'000'000u) << "10 Mbit/s for 3 s, twice";
}

TEST(PolicyEvents, ChangeTheCongestionControlWhileDataFlow) {
  const auto scenario =
      parse_scenario(kTwoPaths + policy_event("2s", "congestion_control = \"olia\"\nscheduler = \"blest\"") +
                         policy_event("4s", "congestion_control = \"reno\"") +
                         policy_event("6s", "congestion_control = \"wvegas\""),
                     "policy");
  ASSERT_TRUE(scenario.has_value()) << scenario.error();
  SimulationOptions options;
  options.records_series = true;
  const Observed seen{run_simulation(*scenario, options).value()};
  EXPECT_TRUE(seen.results.is_sound());
  for (const double at : {2.0, 4.0, 6.0})
    EXPECT_GT(seen.goodput(at, at + 0.5), 10) << "the windows were carried over, at " << at;
}

TEST(PolicyEvents, WhatIsWrongIsSaid) {
  const auto error = [](const std::string& change) {
    const auto scenario = parse_scenario(kTwoPaths + policy_event("1s", change), "policy");
    return scenario ? "no error" : scenario.error();
  };
  EXPECT_THAT(error("scheduler = \"reddundant\""), HasSubstr("did you mean \"redundant\""));
  EXPECT_THAT(error("scheduler = \"ecf\"\nlink = \"one\"\nwhat = 1"), HasSubstr("what"));
}

}  // namespace
}  // namespace braid::scenario
