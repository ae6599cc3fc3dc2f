#include "host/listener_table.h"

#include <gtest/gtest.h>

#include <set>

namespace braid::host {
namespace {

wire::Endpoint at(std::string_view text) { return *wire::Endpoint::parse(text); }

TEST(ListenerTable, ExactAddressComesBeforeWildcard) {
  ListenerTable table;
  const ListenOptions shared{.reuse_port = true};
  Listener* any = table.insert(at("0.0.0.0:80"), shared);
  Listener* exact = table.insert(at("192.0.2.1:80"), shared);
  ASSERT_NE(any, nullptr);
  ASSERT_NE(exact, nullptr);
  EXPECT_EQ(table.match(at("192.0.2.1:80"), 7), exact);
  EXPECT_EQ(table.match(at("192.0.2.2:80"), 7), any);
  EXPECT_EQ(table.match(at("192.0.2.1:81"), 7), nullptr);
  EXPECT_EQ(table.match(at("[2001:db8::1]:80"), 7), nullptr);
  table.remove(exact->id);
  EXPECT_EQ(table.match(at("192.0.2.1:80"), 7), any);
}

TEST(ListenerTable, OneThatTakesAnyPortComesLast) {
  ListenerTable table;
  Listener* rest = table.insert(at("0.0.0.0:0"), {.takes_any_port = true});
  Listener* http = table.insert(at("192.0.2.1:80"), {});
  ASSERT_NE(rest, nullptr);
  ASSERT_NE(http, nullptr);
  EXPECT_EQ(table.match(at("192.0.2.1:80"), 7), http);
  EXPECT_EQ(table.match(at("192.0.2.2:80"), 7), rest);
  EXPECT_EQ(table.match(at("192.0.2.1:81"), 7), rest);
  EXPECT_EQ(table.match(at("[2001:db8::1]:80"), 7), nullptr);
  EXPECT_FALSE(table.is_taken(at("192.0.2.2:80"), {}));
}

TEST(ListenerTable, ClashesAsTheKernelDoes) {
  ListenerTable table;
  ASSERT_NE(table.insert(at("0.0.0.0:80"), {}), nullptr);
  EXPECT_EQ(table.insert(at("0.0.0.0:80"), {}), nullptr);
  EXPECT_EQ(table.insert(at("192.0.2.1:80"), {}), nullptr);
  EXPECT_NE(table.insert(at("192.0.2.1:81"), {}), nullptr);
  EXPECT_NE(table.insert(at("[::]:80"), {}), nullptr);
  EXPECT_EQ(table.insert(at("[::]:81"), {.is_v6_only = false}), nullptr);
}

TEST(ListenerTable, ADualStackWildcardTakesBothFamilies) {
  ListenerTable table;
  Listener* dual = table.insert(at("[::]:80"), {.is_v6_only = false});
  EXPECT_EQ(table.match(at("192.0.2.1:80"), 0), dual);
  EXPECT_EQ(table.match(at("[2001:db8::1]:80"), 0), dual);
  EXPECT_EQ(table.insert(at("0.0.0.0:80"), {}), nullptr);
}

TEST(ListenerTable, ReusePortSpreadsConnections) {
  ListenerTable table;
  std::set<Listener*> all, chosen;
  for (int i = 0; i < 3; ++i) all.insert(table.insert(at("192.0.2.1:80"), {.reuse_port = true}));
  for (uint64_t choice = 0; choice < 12; ++choice) chosen.insert(table.match(at("192.0.2.1:80"), choice));
  EXPECT_EQ(chosen, all);
}

TEST(ListenerTable, AStaleHandleNeverReachesTheNextListener) {
  ListenerTable table;
  const ListenerId first = table.insert(at("192.0.2.1:80"), {})->id;
  table.remove(first);
  const ListenerId second = table.insert(at("192.0.2.1:80"), {})->id;
  EXPECT_NE(first, second);
  EXPECT_EQ(table.find(first), nullptr);
  EXPECT_EQ(table.remove(first), nullptr);
  EXPECT_EQ(table.find(ListenerId::kNone), nullptr);
  EXPECT_NE(table.find(second), nullptr);
}

}  // namespace
}  // namespace braid::host
