// Two hosts with every kind of middlebox between them, on one path and on the first of two: where plain TCP
// would deliver, Braid delivers, byte for byte, over several paths where that can be (docs/middleboxes.md).
#include <gtest/gtest.h>

#include "sim/middlebox/registry.h"
#include "sim/testing/two_hosts.h"

namespace braid::sim {
namespace {

using mptcp::FallbackReason;
using testing::TwoHosts;

struct Case {
  std::string label;
  std::string box;
  MiddleboxOptions options;
  /// With one path, and with two.
  bool is_multipath_on_one = true;
  size_t subflows_on_two = 2;
  FallbackReason reason = FallbackReason::kNone;
};

using Strings = std::vector<std::string>;

std::vector<Case> cases() {
  return {
      {"Nat", "nat", {{"outside", std::string("203.0.113.9")}}},
      {"SequenceRewriter", "sequence-rewriter", {}},
      {"Splitter", "splitter", {{"bytes", int64_t{500}}}},
      {"Coalescer", "coalescer", {{"bytes", int64_t{3000}}}},
      {"CoalescerLast", "coalescer", {{"keeps", std::string("last")}, {"bytes", int64_t{3000}}}},
      {"SynOptionDropper", "syn-option-dropper", {}, false, 1, FallbackReason::kSynOptionDropped},
      {"SynAckOptionDropper",
       "syn-option-dropper",
       {{"segments", Strings{"synack"}}},
       false,
       1,
       FallbackReason::kPeerNotCapable},
      {"FirewallPlain", "stateful-firewall", {}},
      {"FirewallUnseenAcks", "stateful-firewall", {{"drops_unseen_acks", true}}},
      {"FirewallHoles", "stateful-firewall", {{"drops_after_hole", true}}},
      {"Normaliser", "retransmission-normaliser", {}},
      {"ProactiveAcker", "proactive-acker", {}, false, 1, FallbackReason::kDataAckMissing},
      {"HttpProxy", "http-proxy", {}, false, 1, FallbackReason::kPeerNotCapable},
      {"RemoveFromSyn",
       "option-remover",
       {{"segments", Strings{"syn"}}},
       false,
       1,
       FallbackReason::kPeerNotCapable},
      {"RemoveFromSynAck",
       "option-remover",
       {{"segments", Strings{"synack"}}},
       false,
       1,
       FallbackReason::kPeerNotCapable},
      {"RemoveFromAllButSyns",
       "option-remover",
       {{"segments", Strings{"ack", "data"}}},
       false,
       1,
       FallbackReason::kDataWithoutMapping},
      {"RemoveFromData",
       "option-remover",
       {{"segments", Strings{"data"}}},
       false,
       1,
       FallbackReason::kDataWithoutMapping},
      {"RemoveSack", "option-remover", {{"options", Strings{"sack_permitted"}}}},
      {"RemoveTimestamps",
       "option-remover",
       {{"options", Strings{"timestamps"}}, {"segments", Strings{"syn"}}}},
      {"RemoveWindowScale",
       "option-remover",
       {{"options", Strings{"window_scale"}}, {"segments", Strings{"syn"}}}},
      {"RemoveAddAddr", "option-remover", {{"options", Strings{"add_addr"}}}, true, 1},
  };
}

class ThroughMiddlebox : public ::testing::TestWithParam<Case> {
 protected:
  static constexpr uint64_t kUp = 1'500'000, kDown = 600'000;
  static LinkConfig link() {
    LinkConfig config;
    config.bits_per_second = 20'000'000;
    config.delay = 5ms;
    config.queue.limit_bytes = 60'000;
    return config;
  }
  /// The box stands on the first path.
  void run(size_t paths, wire::Family family) {
    hosts = std::make_unique<TwoHosts>(std::vector<LinkConfig>(paths, link()), host::HostConfig{}, 1, family);
    auto box = make_middlebox(GetParam().box, GetParam().options, 7);
    ASSERT_TRUE(box.has_value()) << box.error();
    hosts->path(0).add_middlebox(std::move(*box));
    hosts->start(kUp, kDown);
    hosts->network.run_until([&] { return hosts->server_end->received > kUp / 2; }, 120s);
    info = hosts->client->host().connections().empty() ? mptcp::ConnectionInfo{}
                                                       : hosts->client->host().connections()[0].info;
    ASSERT_TRUE(hosts->finish(200s)) << "received " << hosts->server_end->received << " and "
                                     << hosts->client_end->received;
    EXPECT_TRUE(hosts->is_exact(kUp, kDown));
  }
  std::unique_ptr<TwoHosts> hosts;
  mptcp::ConnectionInfo info;  // of the client, in the middle of the transfer
};
INSTANTIATE_TEST_SUITE_P(Boxes, ThroughMiddlebox, ::testing::ValuesIn(cases()),
                         [](const auto& made) { return made.param.label; });

TEST_P(ThroughMiddlebox, OnePath) {
  run(1, wire::Family::kV4);
  const bool is_fallback = info.multipath == mptcp::MultipathState::kFallback;
  EXPECT_EQ(is_fallback, !GetParam().is_multipath_on_one) << to_string(info.fallback);
  EXPECT_EQ(info.fallback, GetParam().reason) << to_string(info.fallback);
}

TEST_P(ThroughMiddlebox, TwoPaths) {
  run(2, wire::Family::kV4);
  EXPECT_EQ(info.subflows.size(), GetParam().subflows_on_two) << to_string(info.fallback);
}

TEST_P(ThroughMiddlebox, OnePathV6) { run(1, wire::Family::kV6); }

}  // namespace
}  // namespace braid::sim
