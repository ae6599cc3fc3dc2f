#include "mptcp/path_manager/path_manager.h"

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "base/random.h"

namespace braid::mptcp {
namespace {

wire::IpAddress ip(std::string_view text) { return *wire::IpAddress::parse(text); }

/// A connection as the path manager sees it: it keeps what was asked for, and the test says how it goes.
class PathsTest : public testing::Test, protected PathActions {
 protected:
  struct Open {
    wire::Endpoint local, remote;
    uint8_t local_id, remote_id;
    bool is_backup;
    wire::IpAddress source() const {
      return local.address.is_unspecified() ? ip("192.0.2.1") : local.address;
    }
  };

  // ---- what the path manager asks for
  bool open_subflow(const SubflowRequest& request) override {
    const auto& [local, local_id, remote, remote_id, is_backup, label] = request;
    EXPECT_FALSE(label.has_value());
    ++attempts;
    if (!can_open) return false;
    EXPECT_EQ(local.port, 0);
    joining.push_back({local, remote, local_id, remote_id, is_backup});
    return true;
  }
  void close_subflow(uint8_t index) override {
    const auto it = std::ranges::find(live, index, &PathSubflow::index);
    if (it == live.end()) return;
    end(index, SubflowEnd::kRemoved);
  }
  void set_backup(uint8_t index, bool is_backup) override {
    log.push_back((is_backup ? "backup " : "regular ") + std::to_string(index));
  }
  bool announce(uint8_t id, const wire::IpAddress& address, uint16_t port) override {
    if (!has_addresses) return false;
    log.push_back("announce " + std::to_string(id) + " " + wire::Endpoint{address, port}.to_string());
    return true;
  }
  bool has_addresses = true;  // the host has those of its endpoints
  void withdraw(uint8_t id) override { log.push_back("withdraw " + std::to_string(id)); }
  void set_timer(Time at) override { timer = at; }
  bool are_paths_due() const override { return is_due; }
  void on_withheld(Withheld why) override { withheld.push_back(why); }
  bool is_due = true;
  std::vector<Withheld> withheld;

  // ---- what happens
  void endpoint(uint8_t id, std::string_view address, std::string_view flags) {
    PathEndpoint made{.id = id, .address = ip(address), .interface = {}};
    made.is_signal = flags.find("signal") != flags.npos;
    made.is_subflow = flags.find("subflow") != flags.npos;
    made.is_backup = flags.find("backup") != flags.npos;
    made.is_fullmesh = flags.find("fullmesh") != flags.npos;
    config.endpoints.push_back(made);
  }
  void establish(bool may_join_initial = true) {
    paths = make_path_manager("endpoints", config, *this);
    live.push_back({.index = 0, .tuple = {{ip("192.0.2.1"), 40000}, {ip("198.51.100.1"), 80}}});
    live.back().was_opened_by_us = true;
    paths->on_established(live.back(), false, may_join_initial, now);
  }
  /// The oldest join under way comes up; the index of its subflow.
  uint8_t join_succeeds() {
    const Open open = joining.front();
    joining.erase(joining.begin());
    PathSubflow made{.index = next_index++,
                     .tuple = {{open.source(), next_port++}, open.remote},
                     .local_id = open.local_id,
                     .remote_id = open.remote_id,
                     .is_backup = open.is_backup,
                     .was_opened_by_us = true};
    live.push_back(made);
    paths->on_subflow_up(made, now);
    return made.index;
  }
  void join_fails(SubflowEnd why = SubflowEnd::kTimedOut) {
    const Open open = joining.front();
    joining.erase(joining.begin());
    paths->on_subflow_failed(
        {.index = next_index++, .tuple = {open.local, open.remote}, .was_opened_by_us = true}, why, now);
  }
  void peer_joins(std::string_view local, std::string_view remote) {
    PathSubflow made{.index = next_index++, .tuple = {{ip(local), 80}, {ip(remote), next_port++}}};
    live.push_back(made);
    paths->on_subflow_up(made, now);
  }
  void end(uint8_t index, SubflowEnd why) {
    const auto it = std::ranges::find(live, index, &PathSubflow::index);
    ASSERT_NE(it, live.end());
    const PathSubflow gone = *it;
    live.erase(it);
    paths->on_subflow_closed(gone, why, now);
  }
  void pass(Duration time) {
    const Time until = now + time;
    while (timer <= until) {
      now = std::max(now, timer);
      timer = kNever;
      paths->on_timer(now);
    }
    now = until;
  }
  void remove_endpoint(size_t position) {
    const PathEndpoint gone = config.endpoints[position];
    config.endpoints.erase(config.endpoints.begin() + static_cast<std::ptrdiff_t>(position));
    paths->on_endpoint_removed(gone, now);
  }
  std::vector<std::string> joins() const {
    std::vector<std::string> all;
    for (const Open& open : joining)
      all.push_back(open.local.address.to_string() + " > " + open.remote.to_string());
    return all;
  }

  using Strings = std::vector<std::string>;
  PathConfig config;
  std::unique_ptr<PathManager> paths;
  Time now{1h};
  Time timer = kNever;
  std::vector<Open> joining;
  std::vector<PathSubflow> live;
  Strings log;
  int attempts = 0;
  bool can_open = true;
  uint8_t next_index = 1;
  uint16_t next_port = 50000;
};

TEST_F(PathsTest, EveryNameMakesAPathManagerOfThatName) {
  EXPECT_FALSE(path_manager_names().empty());
  for (const std::string& name : path_manager_names())
    EXPECT_EQ(make_path_manager(name, config, *this)->name(), name);
  EXPECT_EQ(make_path_manager("no-such", config, *this), nullptr);
}

// What the host does not have would only bring joins to nobody.
TEST_F(PathsTest, AnAddressIsAnnouncedWhenTheHostHasIt) {
  PathEndpoint endpoint;
  endpoint.id = 4;
  endpoint.address = ip("192.0.2.4");
  endpoint.is_signal = true;
  config.endpoints.push_back(endpoint);
  has_addresses = false;
  establish();
  EXPECT_EQ(log, Strings{});
  has_addresses = true;
  paths->on_endpoint_added(endpoint, now);
  EXPECT_EQ(log, Strings{"announce 4 192.0.2.4:0"});
}

TEST_F(PathsTest, SubflowEndpointsJoinThePeersInitialAddress) {
  endpoint(1, "192.0.2.1", "subflow");
  endpoint(2, "192.0.2.2", "subflow backup");
  endpoint(3, "2001:db8::3", "subflow");
  endpoint(4, "192.0.2.4", "signal");
  establish();
  // Not from the address that the initial subflow has, not from another family.
  EXPECT_EQ(joins(), Strings{"192.0.2.2 > 198.51.100.1:80"});
  EXPECT_EQ(joining[0].local_id, 2);
  EXPECT_EQ(joining[0].remote_id, 0);
  EXPECT_TRUE(joining[0].is_backup);
  EXPECT_EQ(log, Strings{"announce 4 192.0.2.4:0"});
}

TEST_F(PathsTest, JoinsOfBothSidesCountAgainstTheLimit) {
  config.limits.subflows = 2;
  for (uint8_t i = 2; i < 10; ++i) endpoint(i, "192.0.2." + std::to_string(i), "subflow");
  establish();
  EXPECT_EQ(joining.size(), 2u);
  EXPECT_FALSE(paths->may_accept_join());
  join_succeeds();
  join_fails();
  EXPECT_EQ(joining.size(), 1u) << "the next endpoint has its chance";
  join_fails();
  ASSERT_EQ(joining.size(), 1u);
  join_succeeds();
  EXPECT_FALSE(paths->may_accept_join());
  end(1, SubflowEnd::kFinished);
  EXPECT_EQ(joining.size(), 1u);
}

TEST_F(PathsTest, WithoutEndpointsThePeerMayJoin) {
  config.limits.subflows = 1;
  establish();
  EXPECT_TRUE(paths->may_accept_join());
  peer_joins("192.0.2.1", "198.51.100.2");
  EXPECT_FALSE(paths->may_accept_join());
  EXPECT_EQ(attempts, 0);
}

TEST_F(PathsTest, NoJoinToAnInitialAddressThatForbidsIt) {
  endpoint(2, "192.0.2.2", "subflow");
  config.limits.add_addr_accepted = 1;
  establish(false);
  EXPECT_TRUE(joining.empty());
  // Behind a load balancer: the server's own address is for everybody.
  paths->on_add_addr(5, ip("198.51.100.5"), 8080, now);
  EXPECT_EQ(joins(), Strings{"192.0.2.2 > 198.51.100.5:8080"});
  EXPECT_EQ(joining[0].remote_id, 5);
}

TEST_F(PathsTest, AnAnnouncedAddressIsUsedFromWhereTheRouteLeads) {
  config.limits = {.subflows = 4, .add_addr_accepted = 1};
  establish();
  paths->on_add_addr(5, ip("198.51.100.5"), 0, now);
  EXPECT_EQ(joins(), Strings{"0.0.0.0 > 198.51.100.5:80"});
  join_succeeds();
  paths->on_add_addr(5, ip("198.51.100.5"), 0, now);
  paths->on_add_addr(6, ip("198.51.100.6"), 0, now);
  EXPECT_TRUE(joining.empty()) << "repeated, or more than the limit";
}

TEST_F(PathsTest, AnnouncedAddressesAreNotUsedByDefault) {
  establish();
  paths->on_add_addr(5, ip("198.51.100.5"), 0, now);
  EXPECT_EQ(attempts, 0);
}

TEST_F(PathsTest, FullmeshEndpointsJoinEveryAddress) {
  config.limits = {.subflows = 8, .add_addr_accepted = 8};
  endpoint(1, "192.0.2.1", "subflow fullmesh");
  endpoint(2, "192.0.2.2", "subflow fullmesh");
  establish();
  EXPECT_EQ(joins(), Strings{"192.0.2.2 > 198.51.100.1:80"});
  paths->on_add_addr(5, ip("198.51.100.5"), 0, now);
  EXPECT_EQ(joins(), (Strings{"192.0.2.2 > 198.51.100.1:80", "192.0.2.1 > 198.51.100.5:80",
                              "192.0.2.2 > 198.51.100.5:80"}));
  EXPECT_EQ(joining[1].local_id, 0) << "the initial subflow's address";
  EXPECT_EQ(joining[2].local_id, 2);
}

TEST_F(PathsTest, UnusableAnnouncementsAreIgnored) {
  config.limits = {.subflows = 8, .add_addr_accepted = 8};
  establish();
  for (const char* text : {"0.0.0.0", "224.0.0.1", "255.255.255.255", "127.0.0.1", "198.51.100.1"})
    paths->on_add_addr(9, ip(text), 0, now);
  // The last one is the initial address: there is a subflow to it.
  EXPECT_EQ(attempts, 0);
}

TEST_F(PathsTest, AnotherAddressUnderAKnownIdIsIgnored) {
  config.limits = {.subflows = 8, .add_addr_accepted = 8};
  establish();
  paths->on_add_addr(5, ip("198.51.100.5"), 0, now);
  paths->on_add_addr(5, ip("198.51.100.6"), 0, now);
  EXPECT_EQ(joining.size(), 1u);
  paths->on_remove_addr(5, now);
  paths->on_add_addr(5, ip("198.51.100.6"), 0, now);
  EXPECT_EQ(joining.size(), 2u);
}

TEST_F(PathsTest, UnreachableAddressesCostAFewJoinsAndThenMakeRoom) {
  config.limits = {.subflows = 8, .add_addr_accepted = 1};
  establish();
  paths->on_add_addr(5, ip("198.51.100.5"), 0, now);
  paths->on_add_addr(6, ip("198.51.100.6"), 0, now);
  int tries = 0;
  while (!joining.empty() && joining[0].remote_id == 5) {
    ++tries;
    join_fails();
    pass(100s);
  }
  EXPECT_GE(tries, 3);
  EXPECT_LE(tries, 8);
  EXPECT_EQ(joins(), Strings{"0.0.0.0 > 198.51.100.6:80"});
}

TEST_F(PathsTest, FailedJoinsAreRepeatedWithBackOff) {
  endpoint(2, "192.0.2.2", "subflow");
  establish();
  for (const Duration wait : {1s, 2s, 4s}) {
    join_fails();
    pass(wait - 1ms);
    EXPECT_TRUE(joining.empty());
    pass(1ms);
    ASSERT_EQ(joining.size(), 1u);
  }
  join_succeeds();
  EXPECT_EQ(joining.size(), 0u);
}

TEST_F(PathsTest, AGivenUpPathReturnsWithItsEndpoint) {
  endpoint(2, "192.0.2.2", "subflow");
  establish();
  for (int i = 0; i < 20 && !joining.empty(); ++i) {
    join_fails(SubflowEnd::kRefusedJoin);
    pass(100s);
  }
  EXPECT_TRUE(joining.empty());
  EXPECT_EQ(timer, kNever) << "an idle connection has no timer for it";
  paths->on_endpoint_changed(config.endpoints[0], now);
  EXPECT_EQ(joining.size(), 1u);
}

TEST_F(PathsTest, ADeadPathIsBuiltAgainForEver) {
  endpoint(2, "192.0.2.2", "subflow");
  establish();
  const uint8_t index = join_succeeds();
  pass(60s);
  end(index, SubflowEnd::kTimedOut);
  EXPECT_TRUE(joining.empty());
  pass(1s);
  EXPECT_EQ(joining.size(), 1u);
  for (int i = 0; i < 30; ++i) {
    join_fails();
    pass(60s);
    ASSERT_EQ(joining.size(), 1u) << "at most a minute between attempts";
  }
  join_succeeds();
  EXPECT_EQ(live.size(), 2u);
}

TEST_F(PathsTest, APathThatKeepsDyingIsTriedLessAndLessOften) {
  endpoint(2, "192.0.2.2", "subflow");
  establish();
  const int before = attempts;
  for (int i = 0; i < 600; ++i) {
    if (!joining.empty()) end(join_succeeds(), SubflowEnd::kReset);
    pass(1s);
  }
  EXPECT_LE(attempts - before, 20);
  // Once it lives long, it is forgiven.
  while (joining.empty()) pass(1s);
  const uint8_t index = join_succeeds();
  pass(60s);
  end(index, SubflowEnd::kReset);
  pass(1s);
  EXPECT_EQ(joining.size(), 1u);
}

TEST_F(PathsTest, TheInitialPathIsBuiltAgainThroughItsEndpoint) {
  endpoint(1, "192.0.2.1", "subflow");
  endpoint(2, "192.0.2.2", "subflow");
  establish();
  join_succeeds();
  end(0, SubflowEnd::kTimedOut);
  pass(1s);
  EXPECT_EQ(joins(), Strings{"192.0.2.1 > 198.51.100.1:80"});
  EXPECT_EQ(joining[0].local_id, 0);
  EXPECT_EQ(joining[0].remote_id, 0);
}

TEST_F(PathsTest, WithNoSubflowLeftTheFirstAttemptIsMadeAtOnce) {
  endpoint(1, "192.0.2.1", "subflow");
  establish();
  end(0, SubflowEnd::kTimedOut);
  EXPECT_EQ(joining.size(), 1u);
  join_fails();
  EXPECT_TRUE(joining.empty());
  pass(5s);
  EXPECT_EQ(joining.size(), 1u);
}

TEST_F(PathsTest, ARememberedAddressReplacesADeadPath) {
  config.limits = {.subflows = 1, .add_addr_accepted = 2};
  establish();
  paths->on_add_addr(5, ip("198.51.100.5"), 0, now);
  paths->on_add_addr(6, ip("198.51.100.6"), 0, now);
  const uint8_t index = join_succeeds();
  EXPECT_TRUE(joining.empty()) << "no room";
  end(index, SubflowEnd::kTimedOut);
  EXPECT_EQ(joins(), Strings{"0.0.0.0 > 198.51.100.6:80"});
}

TEST_F(PathsTest, ARemovedEndpointIsWithdrawnAndItsSubflowsEnd) {
  endpoint(2, "192.0.2.2", "subflow");
  endpoint(3, "192.0.2.3", "signal");
  establish();
  const uint8_t index = join_succeeds();
  log.clear();
  remove_endpoint(0);
  EXPECT_EQ(log, Strings{"withdraw 2"});
  EXPECT_TRUE(std::ranges::none_of(live, [&](const PathSubflow& s) { return s.index == index; }));
  pass(200s);
  EXPECT_TRUE(joining.empty());
  remove_endpoint(0);
  EXPECT_EQ(log, (Strings{"withdraw 2", "withdraw 3"}));
}

TEST_F(PathsTest, AnEndpointRemovedWhileItsJoinIsUnderWayIsNotUsed) {
  endpoint(2, "192.0.2.2", "subflow");
  establish();
  remove_endpoint(0);
  join_succeeds();
  EXPECT_EQ(live.size(), 1u);
  EXPECT_TRUE(joining.empty());
}

TEST_F(PathsTest, AnAddedEndpointIsUsedAtOnce) {
  establish();
  endpoint(2, "192.0.2.2", "subflow");
  paths->on_endpoint_added(config.endpoints.back(), now);
  EXPECT_EQ(joining.size(), 1u);
  endpoint(3, "192.0.2.3", "signal");
  paths->on_endpoint_added(config.endpoints.back(), now);
  EXPECT_EQ(log, Strings{"announce 3 192.0.2.3:0"});
}

TEST_F(PathsTest, APathReturnsAtOnceWhenItsAddressDoes) {
  endpoint(2, "192.0.2.2", "subflow");
  establish();
  end(join_succeeds(), SubflowEnd::kLocalAddressGone);
  can_open = false;
  pass(500s);
  can_open = true;
  paths->on_endpoint_added(config.endpoints[0], now);
  EXPECT_EQ(joining.size(), 1u);
}

TEST_F(PathsTest, BackupFollowsTheEndpoint) {
  endpoint(1, "192.0.2.1", "subflow backup");
  endpoint(2, "192.0.2.2", "subflow");
  establish();
  EXPECT_EQ(log, Strings{"backup 0"});
  const uint8_t index = join_succeeds();
  log.clear();
  config.endpoints[1].is_backup = true;
  paths->on_endpoint_changed(config.endpoints[1], now);
  EXPECT_EQ(log, Strings{"backup " + std::to_string(index)});
  config.endpoints[0].is_backup = false;
  paths->on_endpoint_changed(config.endpoints[0], now);
  EXPECT_EQ(log.back(), "regular 0");
}

TEST_F(PathsTest, AWithdrawnRemoteAddressEndsItsSubflows) {
  config.limits = {.subflows = 4, .add_addr_accepted = 4};
  establish();
  paths->on_add_addr(5, ip("198.51.100.5"), 0, now);
  join_succeeds();
  EXPECT_EQ(live.size(), 2u);
  paths->on_remove_addr(5, now);
  EXPECT_EQ(live.size(), 1u);
  pass(200s);
  EXPECT_TRUE(joining.empty());
}

TEST_F(PathsTest, ASubflowThatThePeerFinishedStaysAway) {
  endpoint(2, "192.0.2.2", "subflow");
  establish();
  end(join_succeeds(), SubflowEnd::kFinished);
  pass(500s);
  EXPECT_TRUE(joining.empty());
}

TEST_F(PathsTest, ATableOfAddressesIsBounded) {
  config.limits = {.subflows = 255, .add_addr_accepted = 255};
  establish();
  for (int i = 1; i < 256; ++i)
    paths->on_add_addr(static_cast<uint8_t>(i), wire::IpAddress::v4(0xc6336400u + static_cast<uint32_t>(i)),
                       0, now);
  EXPECT_LE(attempts, 64);
}

/// Random events: never two subflows over the same pair of addresses, never more than the limit.
TEST_F(PathsTest, RandomEventsKeepThePathsWithinBounds) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    SeededRandom random(seed);
    config = {};
    config.limits = {.subflows = static_cast<uint8_t>(random.below(6)),
                     .add_addr_accepted = static_cast<uint8_t>(random.below(6))};
    joining.clear();
    live.clear();
    log.clear();
    timer = kNever;
    next_index = 1;
    std::vector<PathEndpoint> all;
    for (uint8_t i = 1; i <= 5; ++i) {
      endpoint(i, "192.0.2." + std::to_string(i), random.below(2) == 0 ? "subflow" : "fullmesh");
      all.push_back(config.endpoints.back());
    }
    config.endpoints.resize(random.below(6));
    establish(random.below(4) != 0);
    for (int step = 0; step < 200; ++step) {
      can_open = random.below(5) != 0;
      const auto why = static_cast<SubflowEnd>(random.below(6));
      switch (random.below(9)) {
        case 0:
        case 1:
          if (!joining.empty()) join_succeeds();
          break;
        case 2:
          if (!joining.empty()) join_fails(why);
          break;
        case 3:
          if (!live.empty()) end(live[random.below(live.size())].index, why);
          break;
        case 4: {
          const uint64_t n = random.below(8);
          paths->on_add_addr(static_cast<uint8_t>(n), ip("198.51.100." + std::to_string(n)), 0, now);
          break;
        }
        case 5:
          if (random.below(3) == 0) paths->on_remove_addr(static_cast<uint8_t>(random.below(8)), now);
          break;
        case 6:
          if (!config.endpoints.empty()) remove_endpoint(random.below(config.endpoints.size()));
          break;
        case 7: {
          const PathEndpoint& pick = all[random.below(all.size())];
          if (std::ranges::find(config.endpoints, pick.id, &PathEndpoint::id) != config.endpoints.end())
            break;
          config.endpoints.push_back(pick);
          paths->on_endpoint_added(pick, now);
          break;
        }
        default:
          pass(Duration(random.below(30)) * 1'000'000'000);
      }
      ASSERT_LE(live.size() + joining.size(), 1u + config.limits.subflows);
      std::vector<std::pair<wire::IpAddress, wire::Endpoint>> pairs;
      for (const PathSubflow& s : live) pairs.emplace_back(s.tuple.local.address, s.tuple.remote);
      for (const Open& open : joining) pairs.emplace_back(open.source(), open.remote);
      std::ranges::sort(pairs);
      ASSERT_EQ(std::ranges::adjacent_find(pairs), pairs.end()) << "the same pair twice";
    }
  }
}

// ---- why there are no more: for people

TEST_F(PathsTest, SaysOnceThatTheLimitOfSubflowsIsReached) {
  config.limits.subflows = 1;
  endpoint(1, "192.0.2.2", "subflow");
  endpoint(2, "192.0.2.3", "subflow");
  establish();
  join_succeeds();
  pass(10s);
  EXPECT_EQ(withheld, std::vector{Withheld::kSubflowLimit});
}

TEST_F(PathsTest, SaysThatThereIsNoOtherAddress) {
  establish();
  EXPECT_EQ(withheld, std::vector{Withheld::kNowhereToGo});
  // The peer announces one: nothing is in the way any more.
  config.limits = {.subflows = 2, .add_addr_accepted = 2};
  paths->on_add_addr(1, ip("198.51.100.2"), 0, now);
  join_succeeds();
  EXPECT_EQ(withheld, std::vector{Withheld::kNowhereToGo});
}

TEST_F(PathsTest, SaysThatThePeerTakesNoJoinsAndAnnouncedNothing) {
  endpoint(1, "192.0.2.2", "subflow");
  establish(false);
  EXPECT_EQ(withheld, std::vector{Withheld::kNothingAnnounced});
}

TEST_F(PathsTest, SaysThatAnnouncedAddressesAreNotActedOn) {
  config.limits = {.subflows = 2, .add_addr_accepted = 0};
  endpoint(1, "192.0.2.2", "subflow");
  establish();
  join_succeeds();
  paths->on_add_addr(1, ip("198.51.100.2"), 0, now);
  EXPECT_EQ(withheld, std::vector{Withheld::kAddressLimit});
}

TEST_F(PathsTest, SaysNothingBeforePathsAreDueNorWhenAllAreUp) {
  is_due = false;
  config.limits.subflows = 0;
  endpoint(1, "192.0.2.2", "subflow");
  establish();
  EXPECT_TRUE(withheld.empty());
  is_due = true;
  config.limits.subflows = 2;
  paths->on_paths_due(now);
  join_succeeds();
  EXPECT_TRUE(withheld.empty());
}

}  // namespace
}  // namespace braid::mptcp
