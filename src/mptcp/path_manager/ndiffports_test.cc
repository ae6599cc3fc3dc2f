#include "mptcp/path_manager/ndiffports.h"

#include <gtest/gtest.h>

namespace braid::mptcp {
namespace {

class DifferentPortsTest : public testing::Test, protected PathActions {
 protected:
  bool open_subflow(const SubflowRequest& request) override {
    const auto& [local, local_id, remote, remote_id, is_backup, label] = request;
    EXPECT_FALSE(label.has_value());
    if (!can_open) return false;
    EXPECT_EQ(local.address, initial.tuple.local.address);
    EXPECT_EQ(local.port, 0);  // any: a port of its own
    EXPECT_EQ(remote, initial.tuple.remote);
    EXPECT_EQ(local_id, 0);
    EXPECT_EQ(remote_id, 0);
    EXPECT_FALSE(is_backup);
    ++joins;
    return true;
  }
  void close_subflow(uint8_t) override { FAIL(); }
  void set_backup(uint8_t, bool) override { FAIL(); }
  bool announce(uint8_t, const wire::IpAddress&, uint16_t) override {
    ADD_FAILURE();
    return true;
  }
  void withdraw(uint8_t) override { FAIL(); }
  void set_timer(Time at) override { timer = at; }

  PathSubflow join(uint8_t index) const {
    PathSubflow made = initial;
    made.index = index;
    made.tuple.local.port = static_cast<uint16_t>(40000 + index);
    return made;
  }
  void establish(bool is_server, bool may_join_initial = true) {
    paths = make_path_manager("ndiffports", config, *this);
    paths->on_established(initial, is_server, may_join_initial, now);
  }

  PathConfig config{.endpoints = {}, .limits = {.subflows = 3, .add_addr_accepted = 0}};
  PathSubflow initial{
      .index = 0,
      .tuple = {{*wire::IpAddress::parse("192.0.2.1"), 40000}, {*wire::IpAddress::parse("198.51.100.1"), 80}},
      .local_id = 0,
      .remote_id = 0,
      .is_backup = false,
      .was_opened_by_us = true};
  std::unique_ptr<PathManager> paths;
  bool can_open = true;
  int joins = 0;
  Time now{5s}, timer = kNever;
};

TEST_F(DifferentPortsTest, TheClientOpensWhatTheLimitAllows) {
  establish(false);
  EXPECT_EQ(joins, 3);
  EXPECT_EQ(timer, kNever);
}

TEST_F(DifferentPortsTest, TheServerOpensNoneAndAcceptsAsMany) {
  establish(true);
  EXPECT_EQ(joins, 0);
  for (uint8_t index = 1; index <= 3; ++index) {
    EXPECT_TRUE(paths->may_accept_join());
    PathSubflow accepted = join(index);
    accepted.was_opened_by_us = false;
    paths->on_subflow_up(accepted, now);
  }
  EXPECT_FALSE(paths->may_accept_join());
}

TEST_F(DifferentPortsTest, ANatsWishIsRespected) {  // the C bit of MP_CAPABLE
  establish(false, false);
  EXPECT_EQ(joins, 0);
}

TEST_F(DifferentPortsTest, ASubflowThatEndsIsReplacedAfterAWait) {
  establish(false);
  for (uint8_t index = 1; index <= 3; ++index) paths->on_subflow_up(join(index), now);
  paths->on_subflow_closed(join(2), SubflowEnd::kReset, now);
  EXPECT_EQ(joins, 3);
  EXPECT_EQ(timer, now + DifferentPorts::kFirstBackoff);
  paths->on_timer(timer);
  EXPECT_EQ(joins, 4);
}

TEST_F(DifferentPortsTest, JoinsThatFailAreTriedMoreAndMoreRarely) {
  config.limits.subflows = 1;
  establish(false);
  Duration last{0};
  for (int i = 0; i < 10; ++i) {
    paths->on_subflow_failed(join(1), SubflowEnd::kTimedOut, now);
    EXPECT_GE(timer - now, last);
    last = timer - now;
    now = timer;
    paths->on_timer(now);
  }
  EXPECT_EQ(last, DifferentPorts::kLongestBackoff);
  EXPECT_EQ(joins, 11);
}

TEST_F(DifferentPortsTest, WithoutAPortItWaits) {
  can_open = false;
  establish(false);
  EXPECT_EQ(timer, now + DifferentPorts::kFirstBackoff);
}

}  // namespace
}  // namespace braid::mptcp
