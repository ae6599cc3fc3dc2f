#include "host/network.h"

#include <gtest/gtest.h>

namespace braid::host {
namespace {

wire::IpAddress ip(std::string_view text) { return *wire::IpAddress::parse(text); }

InterfaceConfig wifi() {
  InterfaceConfig config;
  config.addresses = {{ip("192.0.2.10"), 24}, {ip("2001:db8:1::10"), 64}};
  config.routes = {{ip("0.0.0.0"), 0, 100}, {ip("::"), 0, 100}};
  return config;
}
InterfaceConfig cellular() {
  InterfaceConfig config;
  config.addresses = {{ip("198.51.100.10"), 24}};
  config.routes = {{ip("0.0.0.0"), 0, 50}, {ip("203.0.113.0"), 25, 900}};
  return config;
}

class NetworkTest : public testing::Test {
 protected:
  Network network;
  InterfaceId wifi_ = network.add(wifi());
  InterfaceId cellular_ = network.add(cellular());
};

TEST_F(NetworkTest, LongerPrefixBeatsMetricAndMetricBeatsOrder) {
  EXPECT_EQ(network.select_source(ip("192.0.2.77")), ip("192.0.2.10"));      // its own network
  EXPECT_EQ(network.select_source(ip("203.0.113.1")), ip("198.51.100.10"));  // /25, though its metric is 900
  EXPECT_EQ(network.select_source(ip("203.0.113.200")), ip("198.51.100.10"));  // default with metric 50
  EXPECT_EQ(network.select_source(ip("2001:db8:9::1")), ip("2001:db8:1::10"));
}

TEST_F(NetworkTest, AnInterfaceThatIsDownLeadsNowhere) {
  EXPECT_TRUE(network.set_up(cellular_, false));
  EXPECT_EQ(network.select_source(ip("203.0.113.1")), ip("192.0.2.10"));
  EXPECT_FALSE(network.has_route(ip("198.51.100.10"), ip("203.0.113.1")));
  EXPECT_TRUE(network.set_up(wifi_, false));
  EXPECT_EQ(network.select_source(ip("203.0.113.1")), std::nullopt);
  EXPECT_TRUE(network.has_address(ip("192.0.2.10")));
}

TEST_F(NetworkTest, RoutesAreBySourceAddress) {
  EXPECT_TRUE(network.has_route(ip("192.0.2.10"), ip("203.0.113.1")));
  EXPECT_TRUE(network.has_route(ip("198.51.100.10"), ip("192.0.2.77")));  // by its default route
  EXPECT_FALSE(network.has_route(ip("192.0.2.10"), ip("2001:db8::1")));   // family
  EXPECT_FALSE(network.has_route(ip("198.51.100.99"), ip("203.0.113.1")));
}

TEST_F(NetworkTest, ARemovedAddressIsForgottenAndTheNextOneChosen) {
  network.interface_of(ip("192.0.2.10"));
  EXPECT_TRUE(network.add_address(wifi_, {ip("192.0.2.11"), 24}));
  EXPECT_FALSE(network.add_address(cellular_, {ip("192.0.2.11"), 24}));
  EXPECT_TRUE(network.remove_address(wifi_, ip("192.0.2.10")));
  EXPECT_FALSE(network.remove_address(wifi_, ip("192.0.2.10")));
  EXPECT_FALSE(network.has_address(ip("192.0.2.10")));
  EXPECT_EQ(network.interface_of(ip("198.51.100.10"))->id, cellular_);
  EXPECT_EQ(network.select_source(ip("192.0.2.77")), ip("192.0.2.11"));
}

TEST_F(NetworkTest, AnInterfaceThatTakesAnyAddressHasThoseOfNobodyElse) {
  EXPECT_FALSE(network.has_address(ip("203.0.113.77")));
  InterfaceConfig config;
  config.takes_any_address = true;
  config.routes = {{wire::IpAddress::any(wire::Family::kV4), 0},
                   {wire::IpAddress::any(wire::Family::kV6), 0}};
  const InterfaceId all = network.add(config);
  EXPECT_EQ(network.interface_of(ip("203.0.113.77"))->id, all);
  EXPECT_EQ(network.interface_of(ip("2001:db8:77::1"))->id, all);
  EXPECT_EQ(network.interface_of(ip("192.0.2.10"))->id, wifi_);
  EXPECT_TRUE(network.has_route(ip("203.0.113.77"), ip("192.0.2.1")));
  EXPECT_TRUE(network.add_address(cellular_, {ip("203.0.113.77"), 32}));
  EXPECT_EQ(network.interface_of(ip("203.0.113.77"))->id, cellular_);
}

TEST_F(NetworkTest, ADeprecatedAddressIsChosenOnlyWhereThereIsNoOther) {
  network.add_address(wifi_, {ip("2001:db8:1::10"), 64, true});
  EXPECT_EQ(network.select_source(ip("2001:db8:1::1")), ip("2001:db8:1::10"));
  network.add_address(wifi_, {ip("2001:db8:7::10"), 64});
  EXPECT_EQ(network.select_source(ip("2001:db8:1::1")), ip("2001:db8:7::10"));
  network.add_address(wifi_, {ip("2001:db8:1::10"), 64});
  EXPECT_EQ(network.select_source(ip("2001:db8:1::1")), ip("2001:db8:1::10"));
}

TEST_F(NetworkTest, LinkLocalPeersGetALinkLocalSource) {
  InterfaceConfig config;
  config.addresses = {{ip("2001:db8:5::1"), 64}, {ip("fe80::1"), 10}};
  network.set_up(wifi_, false);
  network.add(config);
  EXPECT_EQ(network.select_source(ip("fe80::2")), ip("fe80::1"));
  EXPECT_EQ(network.select_source(ip("2001:db8:5::2")), ip("2001:db8:5::1"));
}

}  // namespace
}  // namespace braid::host
