#include "mptcp/path_manager/fullmesh.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace braid::mptcp {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

wire::IpAddress ip(std::string_view text) { return *wire::IpAddress::parse(text); }

class FullMeshTest : public testing::Test, protected PathActions {
 protected:
  FullMeshTest() { config.limits = {.subflows = 8, .add_addr_accepted = 8}; }

  bool open_subflow(const SubflowRequest& request) override {
    EXPECT_FALSE(request.local.address.is_unspecified());
    opened.push_back(request.local.address.to_string() + " > " + request.remote.to_string() +
                     (request.is_backup ? " backup" : ""));
    requests.push_back(request);
    return true;
  }
  void close_subflow(uint8_t index) override { closed.push_back(index); }
  void set_backup(uint8_t index, bool) override { changed.push_back(index); }
  bool announce(uint8_t id, const wire::IpAddress&, uint16_t) override {
    announced.push_back(id);
    return true;
  }
  void withdraw(uint8_t id) override { withdrawn.push_back(id); }
  void set_timer(Time) override {}

  void endpoint(uint8_t id, std::string_view address, bool is_backup = false) {
    PathEndpoint made;
    made.id = id;
    made.address = ip(address);
    made.is_backup = is_backup;
    config.endpoints.push_back(made);
  }
  void establish(bool is_server) {
    paths = make_path_manager("fullmesh", config, *this);
    initial.was_opened_by_us = !is_server;
    paths->on_established(initial, is_server, true, now);
  }
  void all_come_up() {
    for (const SubflowRequest& r : std::exchange(requests, {}))
      paths->on_subflow_up({.index = next_index++,
                            .tuple = {{r.local.address, static_cast<uint16_t>(50000 + next_index)}, r.remote},
                            .was_opened_by_us = true},
                           now);
  }

  PathConfig config;
  PathSubflow initial{.index = 0, .tuple = {{ip("192.0.2.1"), 40000}, {ip("198.51.100.1"), 80}}};
  std::unique_ptr<PathManager> paths;
  std::vector<std::string> opened;
  std::vector<SubflowRequest> requests;
  std::vector<uint8_t> announced, withdrawn, closed, changed;
  uint8_t next_index = 1;
  Time now{5s};
};

TEST_F(FullMeshTest, EveryAddressToEveryAddressWhateverTheFlags) {
  endpoint(1, "192.0.2.2");
  endpoint(2, "192.0.2.3", true);
  establish(false);
  paths->on_add_addr(7, ip("198.51.100.2"), 0, now);
  EXPECT_THAT(opened,
              UnorderedElementsAre("192.0.2.2 > 198.51.100.1:80", "192.0.2.3 > 198.51.100.1:80 backup",
                                   "192.0.2.1 > 198.51.100.2:80", "192.0.2.2 > 198.51.100.2:80",
                                   "192.0.2.3 > 198.51.100.2:80 backup"));
  EXPECT_THAT(announced, IsEmpty());
}

TEST_F(FullMeshTest, WithinTheLimits) {
  config.limits = {.subflows = 3, .add_addr_accepted = 1};
  for (uint8_t i = 2; i < 10; ++i) endpoint(i, "192.0.2." + std::to_string(i));
  establish(false);
  paths->on_add_addr(7, ip("198.51.100.2"), 0, now);
  paths->on_add_addr(8, ip("198.51.100.3"), 0, now);
  EXPECT_EQ(opened.size(), 3u);
}

TEST_F(FullMeshTest, ALimitThatGrowsIsUsedAtTheNextEvent) {
  config.limits.subflows = 1;
  endpoint(1, "192.0.2.2");
  endpoint(2, "192.0.2.3");
  establish(false);
  EXPECT_EQ(opened.size(), 1u);
  config.limits.subflows = 8;
  all_come_up();
  EXPECT_EQ(opened.size(), 2u);
}

TEST_F(FullMeshTest, TheServerAnnouncesAndOpensNothing) {
  endpoint(1, "192.0.2.2");
  endpoint(2, "192.0.2.3");
  establish(true);
  paths->on_add_addr(7, ip("198.51.100.2"), 0, now);
  EXPECT_THAT(opened, IsEmpty());
  EXPECT_THAT(announced, ElementsAre(1, 2));
}

TEST_F(FullMeshTest, AnAddressThatComesJoinsTheMeshAndOneThatGoesLeavesIt) {
  endpoint(1, "192.0.2.2");
  establish(false);
  all_come_up();
  endpoint(2, "192.0.2.3");
  paths->on_endpoint_added(config.endpoints.back(), now);
  all_come_up();
  EXPECT_THAT(opened, ElementsAre("192.0.2.2 > 198.51.100.1:80", "192.0.2.3 > 198.51.100.1:80"));
  const PathEndpoint gone = config.endpoints.front();
  config.endpoints.erase(config.endpoints.begin());
  paths->on_endpoint_removed(gone, now);
  EXPECT_THAT(withdrawn, ElementsAre(1));
  EXPECT_THAT(closed, ElementsAre(1));
}

TEST_F(FullMeshTest, BackupFollowsTheEndpoint) {
  endpoint(1, "192.0.2.2");
  establish(false);
  all_come_up();
  config.endpoints[0].is_backup = true;
  paths->on_endpoint_changed(config.endpoints[0], now);
  EXPECT_THAT(changed, ElementsAre(1));
}

TEST_F(FullMeshTest, WhatAProgramClosedStaysClosed) {
  endpoint(1, "192.0.2.2");
  establish(false);
  all_come_up();
  paths->on_subflow_closed(
      {.index = 1, .tuple = {{ip("192.0.2.2"), 50002}, initial.tuple.remote}, .was_opened_by_us = true},
      SubflowEnd::kClosedByProgram, now);
  paths->on_timer(now + 10min);
  EXPECT_EQ(opened.size(), 1u);
}

}  // namespace
}  // namespace braid::mptcp
