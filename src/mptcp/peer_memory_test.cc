#include "mptcp/peer_memory.h"

#include <string>

namespace braid::mptcp {
namespace {

const wire::Endpoint kServer = *wire::Endpoint::parse("192.0.2.1:80");
constexpr Time kStart{1000s};

TEST(PeerMemory, StrangersAreOfferedTheNewestVersion) {
  EXPECT_EQ(PeerMemory().advice(kServer, kStart), PeerMemory::Advice{});
}

TEST(PeerMemory, OneVerdictMayBeARestartedServer) {
  PeerMemory memory;
  memory.on_syn_dropped(kServer, kStart);
  EXPECT_TRUE(memory.advice(kServer, kStart).may_offer);
  EXPECT_EQ(memory.advice(kServer, kStart).attempts, 1u);
  memory.on_multipath(kServer, Version::kV1, kStart);
  EXPECT_EQ(memory.advice(kServer, kStart), PeerMemory::Advice{});
}

TEST(PeerMemory, SilenceDoublesAndEnds) {
  PeerMemory memory({.strikes = 2, .first_silence = 10s, .longest_silence = 25s});
  Time now = kStart;
  memory.on_syn_dropped(kServer, now);
  for (const Duration silence : {10s, 20s, 25s, 25s}) {
    memory.on_syn_dropped(kServer, now);
    EXPECT_FALSE(memory.advice(kServer, now + silence - 1ms).may_offer);
    now += silence;
    EXPECT_TRUE(memory.advice(kServer, now).may_offer);
    EXPECT_EQ(memory.advice(kServer, now).attempts, 1u) << "a trial is short";
  }
  memory.on_plain(kServer);  // the option came through and was not understood
  EXPECT_EQ(memory.advice(kServer, now), PeerMemory::Advice{});
}

TEST(PeerMemory, OtherPortsAreOtherDestinations) {
  PeerMemory memory;
  for (int i = 0; i < 2; ++i) memory.on_syn_dropped(kServer, kStart);
  EXPECT_TRUE(memory.advice(*wire::Endpoint::parse("192.0.2.1:443"), kStart).may_offer);
}

TEST(PeerMemory, TheVersionIsKeptForAWhile) {
  PeerMemory memory({.version_kept = 60s});
  memory.on_multipath(kServer, Version::kV0, kStart);
  EXPECT_EQ(memory.advice(kServer, kStart + 59s).version, Version::kV0);
  EXPECT_EQ(memory.advice(kServer, kStart + 60s).version, Version::kV1);
}

TEST(PeerMemory, TheOneUsedLongestAgoIsForgotten) {
  PeerMemory memory({.capacity = 3});
  const auto remote = [](int i) { return *wire::Endpoint::parse("192.0.2.1:" + std::to_string(i)); };
  for (int i = 1; i <= 3; ++i) memory.on_syn_dropped(remote(i), kStart);
  memory.on_syn_dropped(remote(1), kStart);
  memory.on_syn_dropped(remote(4), kStart);
  EXPECT_EQ(memory.size(), 3u);
  EXPECT_EQ(memory.advice(remote(2), kStart), PeerMemory::Advice{});
  EXPECT_FALSE(memory.advice(remote(1), kStart).may_offer);
  memory.clear();
  EXPECT_EQ(memory.advice(remote(1), kStart), PeerMemory::Advice{});
}

}  // namespace
}  // namespace braid::mptcp
