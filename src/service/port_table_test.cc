#include "service/port_table.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>

namespace braid::service {
namespace {

wire::Endpoint at(std::string_view text) { return *wire::Endpoint::parse(text); }

struct Ports : testing::Test {
  std::multiset<wire::Endpoint> claimed;
  std::set<wire::Endpoint> refused;
  PortTable table{{[this](const wire::Endpoint& local) {
                     if (refused.contains(local)) return EADDRINUSE;
                     claimed.insert(local);
                     return 0;
                   },
                   [this](const wire::Endpoint& local) { claimed.erase(claimed.find(local)); }},
                  61000,
                  61003,
                  7};
};

TEST_F(Ports, AnEndpointIsTakenWhileItIsHeld) {
  auto first = table.bind({.local = at("0.0.0.0:80")});
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(table.bind({.local = at("192.0.2.1:80")}).error(), EADDRINUSE);
  EXPECT_TRUE(table.bind({.local = at("192.0.2.1:81")}).has_value());
  first->reset();
  EXPECT_TRUE(table.bind({.local = at("192.0.2.1:80")}).has_value());
  EXPECT_TRUE(claimed.empty());
}

TEST_F(Ports, DifferentAddressesShareAPort) {
  const auto first = table.bind({.local = at("192.0.2.1:80")});
  EXPECT_TRUE(table.bind({.local = at("192.0.2.2:80")}).has_value());
  EXPECT_TRUE(table.bind({.local = at("[2001:db8::1]:80")}).has_value());
}

TEST_F(Ports, ADualSocketTakesBothFamilies) {
  const auto dual = table.bind({.local = at("[::]:80"), .is_dual = true});
  EXPECT_EQ(claimed, (std::multiset{at("[::]:80"), at("0.0.0.0:80")}));
  EXPECT_EQ(table.bind({.local = at("0.0.0.0:80")}).error(), EADDRINUSE);
  const auto only_v6 = table.bind({.local = at("[::]:81")});
  EXPECT_TRUE(table.bind({.local = at("0.0.0.0:81")}).has_value());
}

TEST_F(Ports, ReusedAddressesShareUntilOneListens) {
  const auto first = table.bind({.local = at("0.0.0.0:80"), .reuses_address = true});
  EXPECT_EQ(table.bind({.local = at("0.0.0.0:80")}).error(), EADDRINUSE);
  EXPECT_TRUE(table.bind({.local = at("0.0.0.0:80"), .reuses_address = true}).has_value());
  (*first)->set_listening(true);
  EXPECT_EQ(table.bind({.local = at("0.0.0.0:80"), .reuses_address = true}).error(), EADDRINUSE);
}

TEST_F(Ports, ReusedPortsAreSharedWithinOneUser) {
  const auto first = table.bind({.local = at("0.0.0.0:80"), .reuses_port = true, .uid = 1000});
  (*first)->set_listening(true);
  EXPECT_TRUE(table.bind({.local = at("0.0.0.0:80"), .reuses_port = true, .uid = 1000}).has_value());
  EXPECT_EQ(table.bind({.local = at("0.0.0.0:80"), .reuses_port = true, .uid = 1001}).error(), EADDRINUSE);
}

TEST_F(Ports, PortZeroChoosesUntilNoneIsLeft) {
  std::vector<std::shared_ptr<Binding>> held;
  refused.insert(at("0.0.0.0:61002"));
  for (int i = 0; i < 3; ++i) {
    auto binding = table.bind({.local = at("0.0.0.0:0")});
    ASSERT_TRUE(binding.has_value());
    held.push_back(*binding);
  }
  EXPECT_EQ(table.bind({.local = at("0.0.0.0:0")}).error(), EADDRINUSE);
}

TEST_F(Ports, TheNetworksRefusalIsBinds) {
  refused.insert(at("0.0.0.0:80"));
  EXPECT_EQ(table.bind({.local = at("0.0.0.0:80")}).error(), EADDRINUSE);
  EXPECT_EQ(table.bind({.local = at("[::]:80"), .is_dual = true}).error(), EADDRINUSE);
  EXPECT_TRUE(claimed.empty());
}

}  // namespace
}  // namespace braid::service
