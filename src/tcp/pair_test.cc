// Two subflows over a faulty network: whatever it does, every octet arrives once, in order, both ways, and
// both ends finish.
#include "tcp/testing/pair.h"

#include <cstdlib>

namespace braid::tcp::test {
namespace {

/// A swarm: each seed leaves some faults out and exaggerates others.
void configure(Pair& pair, uint64_t seed) {
  SeededRandom random(seed ^ 0x5eed);
  const auto chance = [&](double p) { return random.unit() < p; };
  for (Pair::End* end : {&pair.client, &pair.server}) {
    SubflowConfig& config = end->config;
    const uint16_t sizes[] = {100, 536, 1220, 1460, 8960};
    config.mss = sizes[random.below(5)];
    config.window_scale = static_cast<uint8_t>(random.below(15));
    config.use_timestamps = chance(0.7);
    config.use_sack = chance(0.7);
    config.max_super_segment = chance(0.5) ? 64'240 : static_cast<uint32_t>(random.below(20000));
    config.time_wait = 1h;  // the last ACK may be lost again and again
    config.syn_attempts = config.syn_ack_attempts = 30;
    config.retransmission_attempts = 60;
    config.rto.max = 3s;
    end->upper.map_bytes = chance(0.5) ? 65535 : static_cast<uint32_t>(1 + random.below(9000));
    end->upper.capacity = chance(0.3) ? 1 + random.below(3000) : 1 + random.below(400'000);
    end->upper.pending = chance(0.1) ? 0 : random.below(chance(0.5) ? 200'000 : 5'000);
    // A small buffer or an octet a segment makes a long story.
    if (end->upper.capacity < 500 || end->upper.map_bytes < 100) {
      end->upper.pending = std::min<uint64_t>(end->upper.pending, 3000);
    }
    Faults& faults = end->faults;
    faults.delay = Duration(1us) * static_cast<int64_t>(1 + random.below(100'000));
    if (chance(0.5)) faults.loss = 0.3 * random.unit() * random.unit();
    if (chance(0.3)) faults.duplication = 0.2 * random.unit();
    if (chance(0.4)) faults.reordering = 0.5 * random.unit();
    faults.reordering_delay = 2 * faults.delay + 1us;
    if (chance(0.2)) faults.rate_bytes_per_second = 10'000.0 + 1e7 * random.unit();
    faults.cuts_super_segments = chance(0.7);
    if (chance(0.3)) {
      end->upper.options_hook = [mark = random.below(40)](const SegmentContext&, wire::TcpOptions& options,
                                                          size_t space) {
        const uint8_t ids = static_cast<uint8_t>(std::min<size_t>(space, mark));
        if (ids < 4) return;
        wire::RemoveAddr option;
        for (int i = 3; i < (ids & ~3); ++i) option.address_ids.push_back(static_cast<uint8_t>(i));
        options.mptcp.push_back(option);
      };
    }
  }
}

struct Outcome {
  Time end;
  uint64_t client_sent, server_sent;
  bool operator==(const Outcome&) const = default;
};

Outcome transfer(uint64_t seed) {
  Pair pair(seed);
  configure(pair, seed);
  SeededRandom slow(seed * 3);
  const uint64_t from_client = pair.client.upper.pending, from_server = pair.server.upper.pending;
  const bool is_slow_reader = slow.unit() < 0.3;
  if (is_slow_reader) pair.client.upper.reads_at_once = pair.server.upper.reads_at_once = false;
  EXPECT_TRUE(pair.establish());
  for (Pair::End* end : {&pair.client, &pair.server}) {
    if (slow.unit() < 0.1) end->subflow->close(pair.now);  // half-closed with nothing granted yet
  }
  // close() ends the grants, so what is to be sent has to be granted first.
  const auto is_done = [&] {
    for (Pair::End* end : {&pair.client, &pair.server}) {
      FakeUpper& upper = end->upper;
      if (is_slow_reader && upper.unread() > 0 && slow.unit() < 0.3) {
        const bool was_shut = upper.receive_window(*end->subflow) == 0;
        upper.read(1 + slow.below(upper.unread()));
        if (was_shut) end->subflow->request_ack();
      }
      if (upper.pending == 0) end->subflow->close(pair.now);
    }
    pair.flush();
    return pair.client.upper.closed && pair.server.upper.closed;
  };
  EXPECT_TRUE(pair.drive(100'000s, is_done)) << "stuck";
  const uint64_t client_granted = pair.client.upper.granted, server_granted = pair.server.upper.granted;
  EXPECT_EQ(pair.server.upper.received, client_granted);
  EXPECT_EQ(pair.client.upper.received, server_granted);
  EXPECT_EQ(client_granted + pair.client.upper.pending, from_client);
  EXPECT_EQ(server_granted + pair.server.upper.pending, from_server);
  EXPECT_EQ(pair.client.upper.fins, 1);
  EXPECT_EQ(pair.server.upper.fins, 1);
  EXPECT_EQ(pair.client.upper.closed, CloseReason::kFinished);
  EXPECT_EQ(pair.server.upper.closed, CloseReason::kFinished);
  return {pair.now, pair.client.sent, pair.server.sent};
}

uint64_t from_environment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

TEST(PairTest, EveryOctetArrivesWhateverTheNetworkDoes) {
  const uint64_t first_seed = from_environment("BRAID_SEED", 1);
  const uint64_t seeds = from_environment("BRAID_SEEDS", std::getenv("BRAID_SEED") != nullptr ? 1 : 300);
  for (uint64_t seed = first_seed; seed < first_seed + seeds; ++seed) {
    SCOPED_TRACE(fmt::format("replay: BRAID_SEED={} tcp_test --gtest_filter='PairTest.Every*'", seed));
    const Outcome outcome = transfer(seed);
    if (HasFailure()) break;
    if (seed % 20 == 0) {
      EXPECT_EQ(transfer(seed), outcome) << "not deterministic";
    }
  }
}

}  // namespace
}  // namespace braid::tcp::test
