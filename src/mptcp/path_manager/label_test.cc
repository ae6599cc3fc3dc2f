#include "mptcp/path_manager/label.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace braid::mptcp {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class LabelledPathsTest : public testing::Test, protected PathActions {
 protected:
  bool open_subflow(const SubflowRequest& request) override {
    if (!can_open) return false;
    EXPECT_EQ(request.local.address, initial.tuple.local.address);
    EXPECT_EQ(request.local.port, 0);
    EXPECT_EQ(request.remote, initial.tuple.remote);
    opened.push_back(request.label.value());
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

  void establish(std::vector<uint8_t> labels, bool is_server = false) {
    paths = make_path_manager("label", config, *this, labels);
    initial.label = labels.empty() ? std::optional<uint8_t>() : labels.front();
    paths->on_established(initial, is_server, true, now);
  }
  PathSubflow labelled(uint8_t label) const {
    PathSubflow made = initial;
    made.index = label;
    made.label = label;
    return made;
  }

  PathConfig config{.endpoints = {}, .limits = {.subflows = 8, .add_addr_accepted = 0}};
  PathSubflow initial{
      .index = 0,
      .tuple = {{*wire::IpAddress::parse("192.0.2.1"), 40000}, {*wire::IpAddress::parse("198.51.100.1"), 80}},
      .was_opened_by_us = true};
  std::unique_ptr<PathManager> paths;
  std::vector<uint8_t> opened;
  bool can_open = true;
  Time now{5s}, timer = kNever;
};

TEST_F(LabelledPathsTest, TheClientOpensOneForEachLabelButTheFirst) {
  establish({0, 10, 12});
  EXPECT_THAT(opened, ElementsAre(10, 12));
}

TEST_F(LabelledPathsTest, NonsenseAmongTheLabelsIsIgnored) {
  establish({1, 64, 10, 10, 255, 63});
  EXPECT_THAT(opened, ElementsAre(10, 63));
}

TEST_F(LabelledPathsTest, WithinTheLimit) {
  config.limits.subflows = 2;
  establish({0, 1, 2, 3, 4});
  EXPECT_THAT(opened, ElementsAre(1, 2));
  paths->on_subflow_up(labelled(1), now);
  paths->on_subflow_up(labelled(2), now);
  EXPECT_FALSE(paths->may_accept_join());
}

TEST_F(LabelledPathsTest, TheServerOpensNoneAndAcceptsThem) {
  establish({0, 10}, true);
  EXPECT_THAT(opened, IsEmpty());
  EXPECT_TRUE(paths->may_accept_join());
}

TEST_F(LabelledPathsTest, EachIsReplacedWithItsOwnBackOff) {
  establish({0, 10, 12});
  paths->on_subflow_up(labelled(10), now);
  paths->on_subflow_up(labelled(12), now);
  paths->on_subflow_closed(labelled(10), SubflowEnd::kTimedOut, now);
  EXPECT_EQ(timer, now + LabelledPaths::kFirstBackoff);
  now = timer;
  paths->on_timer(now);
  paths->on_subflow_failed(labelled(10), SubflowEnd::kTimedOut, now);
  EXPECT_EQ(timer, now + 2 * LabelledPaths::kFirstBackoff);
  // Not the second's fault.
  paths->on_subflow_closed(labelled(12), SubflowEnd::kTimedOut, now);
  EXPECT_EQ(timer, now + LabelledPaths::kFirstBackoff);
  EXPECT_THAT(opened, ElementsAre(10, 12, 10));
}

TEST_F(LabelledPathsTest, TheFirstOnesLabelIsReplacedToo) {
  establish({5, 10});
  paths->on_subflow_closed(initial, SubflowEnd::kTimedOut, now);
  paths->on_timer(timer);
  EXPECT_THAT(opened, ElementsAre(10, 5));
}

TEST_F(LabelledPathsTest, WhatAProgramClosedStaysClosed) {
  establish({0, 10});
  paths->on_subflow_up(labelled(10), now);
  paths->on_subflow_closed(labelled(10), SubflowEnd::kClosedByProgram, now);
  paths->on_timer(now + 10min);
  EXPECT_THAT(opened, ElementsAre(10));
}

TEST_F(LabelledPathsTest, AnAddressThatReturnsEndsTheWait) {
  can_open = false;
  establish({0, 10});
  can_open = true;
  PathEndpoint endpoint;
  endpoint.address = initial.tuple.local.address;
  paths->on_endpoint_added(endpoint, now);
  EXPECT_THAT(opened, ElementsAre(10));
}

}  // namespace
}  // namespace braid::mptcp
