#include "io/port_blocks.h"

namespace braid::io {
namespace {

NetworkConfig make_config(uint16_t first, uint16_t last, uint16_t per_instance) {
  NetworkConfig config;
  config.first_port = first;
  config.last_port = last;
  config.ports_per_instance = per_instance;
  return config;
}

InstanceRecord taken(const PortBlock& block) {
  InstanceRecord record;
  record.first_port = block.first;
  record.last_port = block.last;
  return record;
}

TEST(PortBlocks, EachTakesHalfOfTheLongestRunThatIsLeft) {
  const NetworkConfig config = make_config(61000, 64999, 0);
  std::vector<InstanceRecord> others;
  std::vector<uint32_t> sizes;
  while (const auto block = choose_ports(config, others)) {
    for (const InstanceRecord& other : others) {
      EXPECT_TRUE(block->last < other.first_port || other.last_port < block->first);
    }
    EXPECT_GE(block->first, 61000);
    EXPECT_LE(block->last, 64999);
    others.push_back(taken(*block));
    sizes.push_back(block->last - block->first + 1u);
  }
  EXPECT_THAT(sizes, testing::ElementsAre(2000, 1000, 500, 250, 125, 62));
}

TEST(PortBlocks, WhatIsFreedIsTakenAgain) {
  const NetworkConfig config = make_config(61000, 64999, 0);
  const auto block = choose_ports(config, {taken({63000, 63999})});
  ASSERT_TRUE(block);
  EXPECT_EQ(block->first, 61000);
  EXPECT_EQ(block->last, 61999);
}

TEST(PortBlocks, BlocksOfAFixedSize) {
  const NetworkConfig config = make_config(65000, 65535, 256);
  const auto first = choose_ports(config, {});
  ASSERT_TRUE(first);
  const auto second = choose_ports(config, {taken(*first)});
  ASSERT_TRUE(second);
  EXPECT_EQ(second->first, 65256);
  EXPECT_FALSE(choose_ports(config, {taken(*first), taken(*second)}));
}

TEST(PortBlocks, AnothersBlockMayReachBeyondTheRange) {
  const NetworkConfig config = make_config(61000, 61999, 500);
  EXPECT_FALSE(choose_ports(config, {taken({60000, 65535})}));
  const auto block = choose_ports(config, {taken({60000, 61099}), taken({62000, 62999})});
  ASSERT_TRUE(block);
  EXPECT_EQ(block->first, 61100);
}

}  // namespace
}  // namespace braid::io
