#include "service/history_commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/random.h"
#include "mptcp/testing/pair.h"

namespace braid::service {
namespace {

using mptcp::Decision;
using nlohmann::json;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using Kind = Decision::Kind;

wire::Endpoint end(const char* text) { return *wire::Endpoint::parse(text); }

mptcp::ConnectionInfo info_with(size_t paths) {
  mptcp::ConnectionInfo info;
  info.multipath = mptcp::MultipathState::kEstablished;
  info.path_manager = "endpoints";
  info.state = "ESTABLISHED";
  info.sent_bytes = 1000;
  info.opened = Time{100s};
  for (size_t i = 0; i < paths; ++i) {
    mptcp::SubflowInfo s;
    s.index = static_cast<uint8_t>(i);
    s.tuple = {end("192.0.2.1:61000"), end("203.0.113.2:443")};
    s.is_fully_established = true;
    s.srtt = 20ms;
    s.data_sent_bytes = i == 0 ? 750 : 250;
    info.subflows.push_back(s);
  }
  return info;
}

TEST(Standing, TellsEachPathsShareAndState) {
  auto info = info_with(2);
  info.subflows[1].is_backup = true;
  const auto text = standing_of(info, {}, true, Time{112s});
  EXPECT_THAT(text, Contains(HasSubstr("ESTABLISHED after 12.0 s; it has sent 1.0 kB")));
  EXPECT_THAT(text, Contains(HasSubstr("Path 0 (192.0.2.1 -> 203.0.113.2:443) is up, has carried 75 %")));
  EXPECT_THAT(text,
              Contains(HasSubstr("Path 1 (192.0.2.1 -> 203.0.113.2:443) is a backup, has carried 25 %")));
  info.subflows[1].is_stalled = true;
  EXPECT_THAT(standing_of(info, {}, true, Time{112s}), Contains(HasSubstr("is silent")));
}

TEST(Standing, TellsWhyThereIsOnePathOnly) {
  host::HostConfig config;
  config.connection.open_paths = mptcp::OpenPaths::when_worth_it();
  EXPECT_THAT(standing_of(info_with(1), config, false, Time{100s}),
              Contains(HasSubstr("no further one is opened before it is worth it, which is after 16 kB")));
  EXPECT_THAT(standing_of(info_with(1), config, true, Time{100s}), Not(Contains(HasSubstr("One path"))));
  config.paths.limits.subflows = 0;
  EXPECT_THAT(standing_of(info_with(1), config, true, Time{100s}),
              Contains(HasSubstr("[limits] subflows is 0")));
  auto info = info_with(1);
  info.path_manager = "none";
  EXPECT_THAT(standing_of(info, config, true, Time{100s}), Contains(HasSubstr("path_manager is \"none\"")));
  info.multipath = mptcp::MultipathState::kFallback;
  info.fallback = mptcp::FallbackReason::kPeerNotCapable;
  EXPECT_THAT(standing_of(info, config, true, Time{100s}),
              Contains(HasSubstr("plain TCP, since the peer did not")));
}

/// Histories with decisions made up, and a host that knows none of their connections.
class WhyTest : public testing::Test {
 protected:
  mptcp::Connection& connect(uint16_t port) {
    connections_.push_back(mptcp::Connection::connect(
        {}, environment_,
        {{mptcp::testing::client_address(0), port}, {mptcp::testing::server_address(0), 80}}, now));
    auto& one = *connections_.back();
    histories.on_decision(one, {.kind = Kind::kOpened, .why = "by us", .tuple = {one.local(), one.remote()}},
                          now);
    return one;
  }
  json ask(json request) {
    const auto answer = commands.why(request, now);
    return answer ? *answer : json{{"error", answer.error()}};
  }
  Time now{1000s};
  ConnectionHistories histories{{}, nullptr};
  SeededRandom random{1};
  host::Host host{{}, random, Time{1000s}};
  HistoryCommands commands{host, histories};

 private:
  mptcp::testing::TestEnvironment environment_{1, {mptcp::testing::client_address(0)}};
  std::vector<std::unique_ptr<mptcp::Connection>> connections_;
};

TEST_F(WhyTest, NothingIsKnownAtFirst) {
  EXPECT_THAT(ask({{"connection", "last"}})["error"], HasSubstr("no connection yet"));
  EXPECT_EQ(ask(json::object())["connections"], json::array());
}

TEST_F(WhyTest, AConnectionIsFoundByEachOfItsNames) {
  auto& one = connect(1);
  connect(2);
  const std::string token = fmt::format("{:08x}", one.local_token());
  for (const std::string& name : {token, std::string("192.0.2.1:1"), std::string("192.0.2.1:1->192.0.2.2:80"),
                                  std::string("192.0.2.1:1 -> 192.0.2.2:80")}) {
    const json answer = ask({{"connection", name}});
    ASSERT_TRUE(answer.contains("connection")) << name << ": " << answer;
    EXPECT_EQ(answer["connection"]["local"], "192.0.2.1:1") << name;
    EXPECT_EQ(answer["others"], 0);
  }
  EXPECT_EQ(ask({{"connection", "last"}})["connection"]["local"], "192.0.2.1:2");
  const json both = ask({{"connection", "192.0.2.2:80"}});
  EXPECT_EQ(both["connection"]["local"], "192.0.2.1:2");
  EXPECT_EQ(both["others"], 1);
  EXPECT_THAT(ask({{"connection", "192.0.2.9:80"}})["error"],
              testing::AllOf(HasSubstr("192.0.2.9:80"), HasSubstr("`braid why` lists")));
}

TEST_F(WhyTest, TheFailedOnesCanBeAskedForAlone) {
  auto& one = connect(1);
  connect(2);
  EXPECT_THAT(ask({{"connection", "last"}, {"failed", true}})["error"], HasSubstr("has failed"));
  histories.on_decision(one, {.kind = Kind::kFailed, .why = "timed-out"}, now += 5s);
  const json answer = ask({{"connection", "last"}, {"failed", true}});
  EXPECT_EQ(answer["connection"]["local"], "192.0.2.1:1");
  EXPECT_EQ(answer["connection"]["state"], "failed");
  EXPECT_THAT(answer["now"][0].get<std::string>(), HasSubstr("over after 5.00 s"));
  EXPECT_EQ(ask({{"failed", true}})["connections"].size(), 1u);
  EXPECT_EQ(ask(json::object())["connections"].size(), 2u);
}

TEST_F(WhyTest, EachEntryHasItsTimeItsEventAndItsSentence) {
  auto& one = connect(1);
  histories.on_decision(one, {.kind = Kind::kMultipath}, now += 50ms);
  for (int i = 0; i < 3; ++i)
    histories.on_decision(one, {.kind = Kind::kReinjected, .why = "the window is blocked", .amount = 5},
                          now += 1s);
  const json history = ask({{"connection", "last"}})["history"];
  ASSERT_EQ(history.size(), 3u);
  EXPECT_EQ(history[0]["event"], "opened");
  EXPECT_DOUBLE_EQ(history[1]["after_s"].get<double>(), 0.05);
  EXPECT_THAT(history[1]["text"].get<std::string>(), HasSubstr("Both ends have proved"));
  EXPECT_EQ(history[2]["count"], 3);
  EXPECT_EQ(history[2]["bytes"], 15);
  EXPECT_DOUBLE_EQ(history[2]["last_after_s"].get<double>(), 3.05);
}

TEST_F(WhyTest, EventsOfAllConnectionsComeInOrderAndTheLastOfThemAreEnough) {
  auto& one = connect(1);
  now += 1s;
  auto& two = connect(2);
  histories.on_decision(one, {.kind = Kind::kMultipath}, now += 1s);
  histories.on_decision(two, {.kind = Kind::kMultipath}, now += 1s);
  Subscriptions subscriptions;
  const auto all = commands.events({{"action", "show"}}, subscriptions, now);
  ASSERT_TRUE(all.has_value());
  std::vector<double> times;
  for (const json& event : (*all)["events"]) times.push_back(event["time_s"].get<double>());
  EXPECT_EQ(times, (std::vector<double>{1000, 1001, 1002, 1003}));
  EXPECT_EQ(subscriptions.feeds, 0);
  const auto last = commands.events({{"action", "follow"}, {"last", 1}}, subscriptions, now);
  ASSERT_EQ((*last)["events"].size(), 1u);
  EXPECT_EQ((*last)["events"][0]["time_s"], 1003.0);
  EXPECT_TRUE(subscriptions.has(Feed::kDecisions));
  EXPECT_FALSE(subscriptions.has(Feed::kPaths));
  EXPECT_FALSE(commands.events({{"action", "folow"}}, subscriptions, now).has_value());
  EXPECT_FALSE(commands.events({{"last", -1}}, subscriptions, now).has_value());
}

}  // namespace
}  // namespace braid::service
