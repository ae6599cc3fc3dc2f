// A peer that sends anything, at any time, in every state: nothing it says may break an invariant, and what
// the application does in between neither.
#include <cstdlib>

#include "base/random.h"
#include "tcp/testing/subflow_fixture.h"

namespace braid::tcp::test {
namespace {

class HostileTest : public SubflowFixture {
 protected:
  uint64_t near(uint64_t center) {
    switch (dice->below(6)) {
      case 0:
        return center;
      case 1:
        return center + dice->below(3) - 1;
      case 2:
        return center + dice->below(3000) - 1500;
      case 3:
        return center + dice->below(200'000) - 100'000;
      case 4:
        return dice->next32();
      default:
        return center + (uint64_t{1} << 31) + dice->below(3) - 1;
    }
  }

  In anything() {
    static constexpr std::string_view kFlags[] = {".",  ".", ".",  "P.", "P.", "F.",  "R",
                                                  "R.", "S", "S.", "SF", "",   "FR.", "SR."};
    In in;
    in.flags = kFlags[dice->below(std::size(kFlags))];
    in.seq = near(subflow->rcv_nxt().value()) & 0xffffffff;
    if (state() == State::kSynSent) in.seq = 0;  // the pattern starts there
    in.ack = near(dice->below(2) != 0 ? subflow->snd_nxt().value() : subflow->snd_una().value()) & 0xffffffff;
    in.bytes = dice->below(3) == 0 ? 0 : static_cast<uint32_t>(dice->below(3000));
    in.window = static_cast<uint32_t>(dice->below(4) == 0 ? dice->below(3) : dice->below(65'536));
    in.segments = static_cast<uint16_t>(1 + dice->below(4));
    if (dice->below(3) == 0) in.ts = wire::Timestamps{dice->next32(), dice->next32()};
    if (dice->below(3) == 0) {
      in.ts = wire::Timestamps{static_cast<uint32_t>(dice->below(1000)),
                               static_cast<uint32_t>(dice->below(9000))};
    }
    if (dice->below(8) == 0) in.mss = static_cast<uint16_t>(dice->below(65'536));
    if (dice->below(8) == 0) in.wscale = static_cast<uint8_t>(dice->below(256));
    in.sack_ok = dice->below(2) == 0;
    for (uint64_t i = dice->below(5) * dice->below(2); i > 0; --i) {
      in.sack.emplace_back(near(subflow->snd_una().value()), near(subflow->snd_nxt().value()));
    }
    return in;
  }

  void act() {
    switch (dice->below(24)) {
      case 0:
        upper.pending += dice->below(30'000);
        break;
      case 1:
        upper.read(dice->below(20'000));
        break;
      case 2:
        subflow->request_ack();
        break;
      case 3:
        subflow->send_probe();
        break;
      case 4:
        subflow->set_keepalive(Duration(1 + dice->below(1'000'000'000)), 1s, 3, now);
        break;
      case 5:
        subflow->set_mss(static_cast<uint16_t>(dice->below(65'536)));
        break;
      case 6:
        subflow->on_icmp({.kind = static_cast<wire::IcmpErrorKind>(dice->below(8)),
                          .mtu = static_cast<uint32_t>(dice->below(3000)),
                          .tuple = tuple,
                          .seq = kOwn + static_cast<uint32_t>(near(subflow->snd_una().value()))},
                         now);
        break;
      case 7:
        if (dice->below(8) == 0) subflow->close(now);
        break;
      case 8:
        if (dice->below(60) == 0) subflow->abort(now);
        break;
      case 9:
        wait(Duration(dice->below(3'000'000'000)));
        break;
      case 10:
        if (subflow->next_deadline() != kNever) wait_for_timer();
        break;
      default:
        subflow->on_segment(segment(anything()), now);
        break;
    }
  }

  void check() {
    CollectingSink sink;
    const State before = state();
    const bool had_reset = subflow->has_reset_to_send();
    subflow->poll_transmit(sink, now);
    EXPECT_FALSE(subflow->has_reset_to_send());
    for (const auto& out : sink.segments) {
      if (before == State::kClosed) {
        EXPECT_TRUE(out.flags.rst);
        EXPECT_TRUE(had_reset || !out.flags.ack);
      }
      if (out.flags.rst) continue;
      EXPECT_LE(out.payload_size(), 65'400u);

      if (out.flags.ack && subflow->is_synchronized()) {
        EXPECT_EQ(out.ack, wrap(subflow->rcv_nxt(), subflow->initial_receive_seq()));
      }
    }
    EXPECT_LE(subflow->snd_una(), subflow->snd_nxt());
    EXPECT_LE(subflow->receive_queue_bytes(), 200'000u);
    EXPECT_EQ(upper.received + 1 + static_cast<uint64_t>(upper.fins),
              std::max<uint64_t>(1, subflow->rcv_nxt().value()));
    EXPECT_LT(pool.bytes_in_use(), 4u << 20);
    if (state() == State::kClosed) {
      EXPECT_EQ(subflow->next_deadline(), kNever);
    } else {
      EXPECT_TRUE(upper.closed.has_value() == (state() == State::kTimeWait));
    }
  }

  std::optional<SeededRandom> dice;
};

TEST_F(HostileTest, NothingBreaks) {
  const char* from_environment = std::getenv("BRAID_SEED");
  const uint64_t first = from_environment != nullptr ? std::strtoull(from_environment, nullptr, 10) : 1;
  const uint64_t count = from_environment != nullptr ? 1 : 2000;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    SCOPED_TRACE(fmt::format("replay: BRAID_SEED={} tcp_test --gtest_filter='HostileTest.*'", seed));
    dice.emplace(seed);
    config.use_timestamps = dice->below(2) == 0;
    config.use_sack = dice->below(2) == 0;
    config.max_super_segment = dice->below(2) == 0 ? 1460 : 64'240;
    if (dice->below(4) == 0) config.user_timeout = 10s;
    make();
    upper.reads_at_once = dice->below(2) == 0;
    upper.capacity = 1 + dice->below(100'000);
    upper.map_bytes = static_cast<uint32_t>(1 + dice->below(65'535));
    peer_seq = 0;
    const uint64_t opening = dice->below(4);
    if (opening == 0) {
      subflow->accept(segment({.flags = "S", .seq = 0, .sack_ok = true, .ts = wire::Timestamps{1, 0}}), now);
      check();
    } else {
      subflow->connect(now);
      check();
      if (opening >= 2) {
        receive(
            {.flags = "S.", .seq = 0, .ack = 1, .wscale = 3, .sack_ok = true, .ts = wire::Timestamps{1, 0}});
      }
    }
    for (int i = 0; i < 200 && !HasFailure(); ++i) {
      act();
      if (dice->below(3) != 0) check();
    }
    check();
    if (HasFailure()) break;
  }
}

}  // namespace
}  // namespace braid::tcp::test
