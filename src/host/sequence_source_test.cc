#include "host/sequence_source.h"

#include <gtest/gtest.h>

namespace braid::host {
namespace {

wire::FourTuple tuple(uint16_t remote_port) {
  return {*wire::Endpoint::parse("192.0.2.1:80"), {*wire::IpAddress::parse("192.0.2.2"), remote_port}};
}

TEST(SequenceSource, GoesByAClockOfFourMicroseconds) {
  SeededRandom random(1);
  const SequenceSource source(random);
  const Seq32 at_first = source.initial_sequence(tuple(5000), Time());
  EXPECT_EQ(source.initial_sequence(tuple(5000), Time(4us)), at_first + 1);
  EXPECT_EQ(source.initial_sequence(tuple(5000), Time(1s)), at_first + 250'000);
}

TEST(SequenceSource, IsAnotherForEachTupleAndEachSecret) {
  SeededRandom random(1), other_random(2);
  const SequenceSource source(random), other(other_random);
  EXPECT_NE(source.initial_sequence(tuple(5000), Time()), source.initial_sequence(tuple(5001), Time()));
  EXPECT_NE(source.initial_sequence(tuple(5000), Time()), other.initial_sequence(tuple(5000), Time()));
}

}  // namespace
}  // namespace braid::host
