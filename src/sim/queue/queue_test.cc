#include "sim/queue/queue.h"

#include <gtest/gtest.h>

#include "sim/queue/testing/packets.h"
#include "wire/ip_header.h"

namespace braid::sim {
namespace {

using testing::packet_of;

TEST(Queues, AreMadeByName) {
  ChunkPool pool;
  SeededRandom random(1);
  for (const std::string& name : queue_disciplines()) {
    QueueConfig config;
    config.discipline = name;
    config.limit_packets = 10;
    const auto queue = make_queue(config, pool, random);
    ASSERT_NE(queue, nullptr) << name;
    EXPECT_FALSE(queue->dequeue(Time(1s)).has_value()) << name;
    for (uint16_t flow = 1; flow <= 3; ++flow) queue->enqueue(packet_of(pool, 1000, flow), Time(1s));
    EXPECT_EQ(queue->bytes(), 3000u) << name;
    for (uint16_t flow = 1; flow <= 3; ++flow) {
      const auto packet = queue->dequeue(Time(1s));
      ASSERT_TRUE(packet.has_value()) << name;
      EXPECT_EQ(testing::flow_of(*packet), flow) << name;
    }
    EXPECT_EQ(queue->bytes() + queue->packets() + queue->dropped(), 0u) << name;
  }
  QueueConfig unknown;
  unknown.discipline = "lifo";
  EXPECT_EQ(make_queue(unknown, pool, random), nullptr);
}

TEST(DropTailQueue, DropsWhatFindsNoRoom) {
  ChunkPool pool;
  SeededRandom random(1);
  QueueConfig config;
  config.limit_bytes = 2500;
  config.limit_packets = 3;
  const auto queue = make_queue(config, pool, random);
  queue->enqueue(packet_of(pool, 1000), Time(1s));
  queue->enqueue(packet_of(pool, 1000), Time(1s));
  queue->enqueue(packet_of(pool, 1000), Time(1s));  // too many octets
  queue->enqueue(packet_of(pool, 100), Time(1s));
  queue->enqueue(packet_of(pool, 100), Time(1s));  // too many packets
  EXPECT_EQ(queue->packets(), 3u);
  EXPECT_EQ(queue->bytes(), 2100u);
  EXPECT_EQ(queue->dropped(), 2u);
}

TEST(CongestionMark, OnlyOnWhatSaysThatItUnderstandsIt) {
  ChunkPool pool;
  for (const uint8_t ecn : {1, 2, 3}) {
    Packet packet = packet_of(pool, 100, 1000, ecn);
    EXPECT_TRUE(mark_congestion(packet, pool));
    EXPECT_EQ(testing::ecn_of(packet), testing::kCe);
    wire::IpHeader ip;  // its checksum is right
    EXPECT_FALSE(wire::parse_ip_header(packet.bytes.bytes(), wire::IpContext::kPacket, ip).has_value());
  }
  Packet packet = packet_of(pool, 100);
  EXPECT_FALSE(mark_congestion(packet, pool));
  EXPECT_EQ(testing::ecn_of(packet), testing::kNotEct);
}

TEST(CongestionMark, IPv6HasItsBitsElsewhere) {
  ChunkPool pool;
  wire::OutgoingSegment segment;
  segment.tuple = {*wire::Endpoint::parse("[2001:db8::1]:1000"), *wire::Endpoint::parse("[2001:db8::2]:80")};
  segment.flags.ack = true;
  segment.traffic_class = testing::kEct0;
  wire::OutgoingPacket built;
  wire::build_packet(segment, wire::OffloadSupport::kNone, 0, built);
  Packet packet = wire::flatten(built, pool);
  const Packet other = packet;  // holds the same bytes, and must not see the mark
  EXPECT_TRUE(mark_congestion(packet, pool));
  EXPECT_EQ(std::get<wire::TcpSegment>(wire::parse_packet(packet)).traffic_class, testing::kCe);
  EXPECT_EQ(std::get<wire::TcpSegment>(wire::parse_packet(other)).traffic_class, testing::kEct0);
}

}  // namespace
}  // namespace braid::sim
