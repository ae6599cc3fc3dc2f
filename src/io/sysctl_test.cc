#include "io/sysctl.h"

namespace braid::io {
namespace {

TEST(PortList, FormatUndoesParse) {
  for (const char* text : {"", "80", "80,8000-8010", "1-65535", "65535", "7,9,11-12,61000-61499"}) {
    EXPECT_EQ(format_port_list(parse_port_list(text)), text);
  }
}

TEST(PortList, WhatIsNoNumberIsPassedOver) {
  EXPECT_THAT(parse_port_list("80, 90-92\n"), testing::ElementsAre(80, 90, 91, 92));
  EXPECT_THAT(parse_port_list("99999,x,7"), testing::Contains(7));
}

TEST(Sysctl, AParameterThatIsNotThereIsNothing) {
  EXPECT_FALSE(read_sysctl("net/no/such/parameter"));
  EXPECT_TRUE(read_sysctl("kernel/ostype"));
}

}  // namespace
}  // namespace braid::io
