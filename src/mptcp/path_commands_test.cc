// A program's commands about paths, with a path manager that does nothing else and beside others.
#include <gtest/gtest.h>

#include <array>
#include <set>
#include <string>

#include "mptcp/testing/pair.h"

namespace braid::mptcp {
namespace {

using namespace testing;

class PathCommands : public ::testing::Test {
 protected:
  PathCommands() : pair(1, {PathOptions{.delay = 10ms}, PathOptions{.delay = 10ms}}) {}
  void open(const std::string& manager) {
    pair.client.config.path_manager = pair.server.config.path_manager = manager;
    pair.client.to_send = pair.server.to_send = 1000;
    pair.connect();
    pair.run_for(1s);
    ASSERT_TRUE(pair.is_multipath());
  }
  PathError open_second() {
    return open_path({.local = {client_address(1), 0}, .remote = {server_address(0), kServerPort}});
  }
  PathError open_path(const SubflowRequest& request) {
    const auto opened = pair.client.connection->open_path(request, pair.now);
    return opened ? PathError::kNone : opened.error();
  }
  size_t subflows() { return pair.subflows(pair.client); }
  SubflowInfo of(const Side& side, size_t i) { return side.connection->info().subflows.at(i); }
  Pair pair;
};

TEST_F(PathCommands, NothingHappensByItself) {
  pair.add_client_endpoints();
  pair.server.environment.paths.endpoints.push_back(
      {.id = 1, .address = server_address(1), .interface = {}, .is_signal = true});
  open("application");
  pair.run_for(5s);
  EXPECT_EQ(subflows(), 1u);
  EXPECT_EQ(pair.client.counter(Counter::kAddAddrRx), 0u);
}

TEST_F(PathCommands, APathIsOpenedMadeBackupAndClosed) {
  open("application");
  ASSERT_EQ(open_second(), PathError::kNone);
  pair.run_for(1s);
  ASSERT_EQ(subflows(), 2u);
  EXPECT_TRUE(of(pair.server, 1).is_fully_established);
  EXPECT_EQ(pair.client.connection->set_path_backup(1, true, pair.now), PathError::kNone);
  pair.run_for(1s);
  EXPECT_TRUE(of(pair.server, 1).is_backup);
  EXPECT_EQ(pair.client.connection->close_path(1, pair.now), PathError::kNone);
  pair.run_for(5s);
  EXPECT_EQ(pair.subflows(pair.server), 1u);
  EXPECT_EQ(subflows(), 1u);
}

TEST_F(PathCommands, ChangingTheEndpointUndoesWhatAProgramSet) {
  pair.add_client_endpoints();
  open("endpoints");
  ASSERT_EQ(subflows(), 2u);
  ASSERT_EQ(pair.client.connection->set_path_backup(1, true, pair.now), PathError::kNone);
  pair.run_for(1s);
  ASSERT_TRUE(of(pair.server, 1).is_backup);
  // `endpoint change id 2 nobackup`
  pair.client.connection->on_endpoint_changed(pair.client.environment.paths.endpoints.at(0), pair.now);
  pair.run_for(1s);
  EXPECT_FALSE(of(pair.client, 1).is_backup);
  EXPECT_FALSE(of(pair.server, 1).is_backup);
}

TEST_F(PathCommands, MoreAnnouncementsThanMayWaitAreRefused) {
  open("application");
  pair.cut(0);
  constexpr uint8_t kMayWait = 64;
  const auto announce = [&](uint8_t id) {
    const auto announced = pair.server.connection->announce_address(server_address(1), 8000, id, pair.now);
    return announced ? PathError::kNone : announced.error();
  };
  for (uint8_t id = 1; id <= kMayWait; ++id) ASSERT_EQ(announce(id), PathError::kNone) << int{id};
  EXPECT_EQ(announce(kMayWait + 1), PathError::kTooManyAnnounced);
  EXPECT_EQ(pair.server.counter(Counter::kAddAddrTxDrop), 1u);
  EXPECT_EQ(announce(1), PathError::kNone) << "takes the place of the same";
}

TEST_F(PathCommands, TheFirstPathMayBeClosedToo) {
  open("application");
  ASSERT_EQ(open_second(), PathError::kNone);
  pair.run_for(1s);
  ASSERT_EQ(pair.client.connection->close_path(0, pair.now), PathError::kNone);
  pair.run_for(5s);
  EXPECT_EQ(subflows(), 1u);
  ASSERT_TRUE(exchange(pair, 100'000, 100'000));
  EXPECT_EQ(pair.server.received, 100'000u);
}

TEST_F(PathCommands, WithoutAnyPathTheConnectionWaitsForTheNext) {
  open("application");
  ASSERT_EQ(pair.client.connection->close_path(0, pair.now), PathError::kNone);
  pair.run_for(5s);
  EXPECT_EQ(subflows(), 0u);
  ASSERT_EQ(open_second(), PathError::kNone);
  ASSERT_TRUE(exchange(pair, 100'000, 100'000));
  EXPECT_EQ(pair.client.received, 100'000u);
}

TEST_F(PathCommands, AnAddressIsAnnouncedAndWithdrawn) {
  open("application");
  const auto id = pair.server.connection->announce_address(server_address(1), 8080, 0, pair.now);
  ASSERT_TRUE(id.has_value());
  EXPECT_NE(*id, 0);
  pair.run_for(1s);
  EXPECT_EQ(pair.client.counter(Counter::kAddAddrRx), 1u);
  EXPECT_EQ(pair.server.connection->announce_address(server_address(1), 8080, *id, pair.now), *id);
  EXPECT_EQ(pair.server.connection->withdraw_address(*id, pair.now), PathError::kNone);
  pair.run_for(1s);
  EXPECT_EQ(pair.client.counter(Counter::kRmAddrRx), 1u);
  EXPECT_EQ(pair.server.connection->withdraw_address(*id, pair.now), PathError::kNoSuchAddress);
}

TEST_F(PathCommands, TheFirstAddressIsAnnouncedUnderAnotherIdThanZero) {
  open("application");
  const auto id = pair.server.connection->announce_address(server_address(0), 8080, 0, pair.now);
  ASSERT_TRUE(id.has_value());
  EXPECT_NE(*id, 0);
}

TEST_F(PathCommands, AWithdrawnAddressTakesItsPathsWithIt) {
  open("application");
  ASSERT_EQ(open_second(), PathError::kNone);
  pair.run_for(1s);
  EXPECT_EQ(pair.client.connection->withdraw_address(of(pair.client, 1).local_id, pair.now),
            PathError::kNone);
  pair.run_for(2s);
  EXPECT_EQ(subflows(), 1u);
  EXPECT_EQ(pair.server.counter(Counter::kRmAddrRx), 1u);
}

TEST_F(PathCommands, RefusalsHaveAReason) {
  open("application");
  Connection& client = *pair.client.connection;
  const wire::Endpoint server{server_address(0), kServerPort};
  EXPECT_EQ(open_path({.local = {*wire::IpAddress::parse("192.0.2.99"), 0}, .remote = server}),
            PathError::kNotOurAddress);
  EXPECT_EQ(open_path({.local = {*wire::IpAddress::parse("2001:db8::1"), 0}, .remote = server}),
            PathError::kFamilies);
  EXPECT_EQ(open_path({.local = client.local(), .remote = server}), PathError::kInUse);
  EXPECT_EQ(client.close_path(9, pair.now), PathError::kNoSuchSubflow);
  EXPECT_EQ(client.set_path_backup(9, true, pair.now), PathError::kNoSuchSubflow);
  EXPECT_EQ(client.withdraw_address(9, pair.now), PathError::kNoSuchAddress);
  for (int i = 0; i < 7; ++i) EXPECT_EQ(open_second(), PathError::kNone);
  EXPECT_EQ(open_second(), PathError::kNoRoom);
}

TEST_F(PathCommands, ArePlainTcpsNot) {
  pair.server.config.is_multipath = false;
  pair.client.to_send = 1000;
  pair.connect();
  pair.run_for(1s);
  EXPECT_EQ(open_second(), PathError::kNotMultipath);
  EXPECT_EQ(pair.client.connection->close_path(0, pair.now), PathError::kNotMultipath);
  EXPECT_FALSE(pair.client.connection->announce_address(client_address(1), 0, 0, pair.now).has_value());
}

class BesidePathManager : public PathCommands, public ::testing::WithParamInterface<std::string> {};

TEST_P(BesidePathManager, WhatIsClosedStaysClosed) {
  pair.client.config.labels = {0, 10};
  pair.add_client_endpoints();
  pair.client.environment.paths.limits.subflows = pair.server.environment.paths.limits.subflows = 3;
  open(GetParam());
  const size_t before = subflows();
  // "none" takes no joins from the peer, but opens those that a program asks for.
  if (before < 4) {
    ASSERT_EQ(open_second(), PathError::kNone);
    pair.run_for(1s);
  }
  const size_t all = subflows();
  ASSERT_EQ(
      pair.client.connection->close_path(pair.client.connection->info().subflows.back().index, pair.now),
      PathError::kNone);
  pair.run_for(100s);
  EXPECT_EQ(subflows(), all - 1);
}

INSTANTIATE_TEST_SUITE_P(All, BesidePathManager, ::testing::ValuesIn(path_manager_names()),
                         [](const auto& manager) { return manager.param; });

TEST_F(PathCommands, ALabelGoesThereAndBack) {
  pair.server.config.labels = {10};
  open("application");
  std::array<std::set<int>, 2> seen;
  pair.network.middleboxes.push_back([&](size_t path, Direction d, wire::OutgoingSegment& segment) {
    if (path == 1) seen[static_cast<size_t>(d)].insert(segment.traffic_class);
    return true;
  });
  for (const uint8_t label : {10, 12}) {
    seen = {};
    ASSERT_EQ(
        open_path(
            {.local = {client_address(1), 0}, .remote = {server_address(0), kServerPort}, .label = label}),
        PathError::kNone);
    pair.run_for(1s);
    EXPECT_EQ(seen[0], std::set<int>{label << 2});
    // Only what is configured is taken over.
    EXPECT_EQ(seen[1], std::set<int>{label == 10 ? 40 : 0});
    pair.client.connection->close_path(pair.client.connection->info().subflows.back().index, pair.now);
    pair.run_for(1s);
  }
}

}  // namespace
}  // namespace braid::mptcp
