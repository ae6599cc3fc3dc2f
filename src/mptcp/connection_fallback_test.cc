// Wherever plain TCP would deliver, this delivers, octet for octet, and both ends say why it is plain TCP
// (RFC 8684, 3.1 and 3.7).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mptcp/testing/middleboxes.h"
#include "mptcp/testing/pair.h"

namespace braid::mptcp {
namespace {

using namespace testing;

void expect_exact(Pair& pair, FallbackReason client, FallbackReason server) {
  EXPECT_EQ(pair.server.received, pair.client.to_send);
  EXPECT_EQ(pair.client.received, pair.server.to_send);
  EXPECT_FALSE(pair.server.has_wrong_bytes);
  EXPECT_FALSE(pair.client.has_wrong_bytes);
  EXPECT_EQ(pair.client.connection->error(), ConnectionError::kNone);
  EXPECT_EQ(pair.server.connection->error(), ConnectionError::kNone);
  EXPECT_EQ(to_string(pair.client.connection->fallback_reason()), to_string(client));
  EXPECT_EQ(to_string(pair.server.connection->fallback_reason()), to_string(server));
}

struct FallbackCase {
  const char* name;
  std::vector<TestNetwork::Middlebox> boxes;
  FallbackReason client, server;
  FallbackReason or_server = FallbackReason::kNone;  // whichever comes first
  Version lowest_version = Version::kV0;
  FallbackReason or_client = FallbackReason::kNone;
};

std::ostream& operator<<(std::ostream& out, const FallbackCase& c) { return out << c.name; }

std::vector<FallbackCase> fallback_cases() {
  using R = FallbackReason;
  return {
      {"SynStripped", {strip(is_syn)}, R::kPeerNotCapable, R::kPeerNotCapable},
      {"SynAckStripped", {strip(is_syn_ack)}, R::kPeerNotCapable, R::kThirdAckStripped},
      {"AllButSynsStripped",
       {strip(is_not_syn)},
       R::kDataAckMissing,
       R::kThirdAckStripped,
       R::kNone,
       Version::kV0,
       R::kDataWithoutMapping},
      {"ClientsSegmentsStripped",
       {strip(both(is_not_syn, to_server))},
       R::kDataAckMissing,
       R::kThirdAckStripped,
       R::kNone,
       Version::kV0,
       R::kDataWithoutMapping},
      {"ServersSegmentsStripped",
       {strip(both(is_not_syn, to_client))},
       R::kDataAckMissing,
       R::kPeerInfiniteMapping,
       R::kPeerSentMpFail,
       Version::kV0,
       R::kDataWithoutMapping},
      {"DssStripped",
       {strip_option<wire::Dss>(is_not_syn)},
       R::kDataWithoutMapping,
       R::kDataWithoutMapping,
       R::kPeerSentMpFail,
       Version::kV0,
       R::kPeerSentMpFail},
      {"SynsWithOptionDropped",
       {lose([](Direction d, const Segment& s) { return is_syn(d, s) && !s.options.mptcp.empty(); })},
       R::kSynOptionDropped,
       R::kPeerNotCapable},
      {"ClientOfVersion0",
       {edit<wire::MpCapable>(is_syn,
                              [](wire::MpCapable& o) {
                                o.version = 0;
                                o.sender_key = 1;
                              })},
       R::kPeerNotCapable,
       R::kVersionMismatch,
       R::kNone,
       Version::kV1},
      {"ServerOfVersion0",
       {edit<wire::MpCapable>(is_syn_ack, [](wire::MpCapable& o) { o.version = 0; })},
       R::kVersionMismatch,
       R::kThirdAckStripped,
       R::kNone,
       Version::kV1},
      {"ExtensibilityInSyn",
       {edit<wire::MpCapable>(is_syn, [](wire::MpCapable& o) { o.extensibility = true; })},
       R::kPeerNotCapable,
       R::kExtensibility},
      {"ExtensibilityInSynAck",
       {edit<wire::MpCapable>(is_syn_ack, [](wire::MpCapable& o) { o.extensibility = true; })},
       R::kExtensibility,
       R::kThirdAckStripped},
      {"NoHmacInSyn",
       {edit<wire::MpCapable>(is_syn, [](wire::MpCapable& o) { o.hmac_sha256 = false; })},
       R::kPeerNotCapable,
       R::kNoCommonHmac},
      {"NoHmacInSynAck",
       {edit<wire::MpCapable>(is_syn_ack, [](wire::MpCapable& o) { o.hmac_sha256 = false; })},
       R::kNoCommonHmac,
       R::kThirdAckStripped},
      {"WrongKeyEchoed",
       {edit<wire::MpCapable>(both(is_not_syn, to_server), [](wire::MpCapable& o) { o.receiver_key = 7; })},
       R::kDataAckMissing,
       R::kThirdAckStripped,
       R::kNone,
       Version::kV0,
       R::kDataWithoutMapping},
  };
}

class Fallback : public ::testing::TestWithParam<std::tuple<FallbackCase, bool, double>> {};

TEST_P(Fallback, DeliversAndSaysWhy) {
  const auto& [made, client_speaks_first, loss] = GetParam();
  Pair pair(3, {PathOptions{.loss = loss}});
  pair.client.config.lowest_version = pair.server.config.lowest_version = made.lowest_version;
  pair.network.middleboxes = made.boxes;
  pair.connect();
  if (client_speaks_first) {
    pair.client.to_send = 300'000;
    ASSERT_TRUE(pair.run_until([&] { return pair.server.connection && pair.server.received > 0; }));
  }
  ASSERT_TRUE(exchange(pair, 300'000, client_speaks_first ? 300'000 : 0));
  const auto expected = [](const Side& peer, FallbackReason reason, FallbackReason other) {
    return other != FallbackReason::kNone && peer.connection->fallback_reason() == other ? other : reason;
  };
  expect_exact(pair, expected(pair.client, made.client, made.or_client),
               expected(pair.server, made.server, made.or_server));
}
INSTANTIATE_TEST_SUITE_P(Matrix, Fallback,
                         ::testing::Combine(::testing::ValuesIn(fallback_cases()), ::testing::Bool(),
                                            ::testing::Values(0.0, 0.02)),
                         [](const auto& made) {
                           return std::string(std::get<0>(made.param).name) +
                                  (std::get<1>(made.param) ? "TwoWay" : "OneWay") +
                                  (std::get<2>(made.param) > 0 ? "Lossy" : "");
                         });

TEST(FallbackByChoice, EitherSideMayHaveItOff) {
  for (const bool is_client : {true, false}) {
    Pair pair(4);
    (is_client ? pair.client : pair.server).config.is_multipath = false;
    ASSERT_TRUE(exchange(pair, 100'000, 100'000));
    expect_exact(pair, is_client ? FallbackReason::kDisabled : FallbackReason::kPeerNotCapable,
                 is_client ? FallbackReason::kPeerNotCapable : FallbackReason::kDisabled);
  }
}

TEST(FallbackByChoice, SaysWhichPacketDidIt) {
  Pair pair(15);
  pair.network.middleboxes = {strip(both(is_not_syn, to_server))};
  ASSERT_TRUE(exchange(pair, 1000, 1000));
  EXPECT_THAT(pair.server.connection->info().fallback_packet,
              ::testing::AllOf(::testing::StartsWith("ACK from 192.0.2.1:33000, seq "),
                               ::testing::EndsWith("octets, no MPTCP option")));
  EXPECT_EQ(pair.server.counter(Counter::kBraidFallbackThirdAckStripped), 1u);
}

// The one that looked so, though it is believed later.
TEST(FallbackByChoice, SaysWhichPacketLackedADataAck) {
  Pair pair(16);
  pair.network.middleboxes = {strip(both(is_not_syn, to_client))};
  pair.connect();
  pair.client.to_send = 1000;
  ASSERT_TRUE(pair.run_until(
      [&] { return pair.client.connection->fallback_reason() == FallbackReason::kDataAckMissing; }, 5s));
  EXPECT_THAT(pair.client.connection->info().fallback_packet,
              ::testing::AllOf(::testing::StartsWith("ACK from "), ::testing::EndsWith("no MPTCP option")));
}

TEST(FallbackByChoice, SimultaneousOpenIsPlain) {
  Pair pair(5);
  const wire::FourTuple tuple{{server_address(0), kServerPort}, {client_address(0), 33'000}};
  pair.server.connection = Connection::connect(pair.server.config, pair.server.environment, tuple, pair.now);
  ASSERT_TRUE(exchange(pair, 100'000, 100'000));
  expect_exact(pair, FallbackReason::kSimultaneousOpen, FallbackReason::kSimultaneousOpen);
}

TEST(Handshake, ChecksumIsOnIfEitherSideAsks) {
  for (const bool is_client : {true, false}) {
    Pair pair(6);
    (is_client ? pair.client : pair.server).config.require_checksum = true;
    ASSERT_TRUE(exchange(pair, 100'000, 100'000));
    expect_exact(pair, FallbackReason::kNone, FallbackReason::kNone);
    EXPECT_TRUE(pair.client.connection->info().is_checksummed);
    EXPECT_TRUE(pair.server.connection->info().is_checksummed);
  }
}

TEST(Handshake, ThirdAckLostKeysComeWithTheData) {
  for (const bool has_checksum : {false, true}) {
    Pair pair(7);
    pair.client.config.require_checksum = has_checksum;
    pair.network.middleboxes = {
        lose([](Direction d,
                const Segment& s) { return to_server(d, s) && is_not_syn(d, s) && !has_payload(d, s); },
             1)};
    pair.connect();
    pair.run_for(15ms);
    ASSERT_TRUE(exchange(pair, 100'000, 100'000));
    expect_exact(pair, FallbackReason::kNone, FallbackReason::kNone);
  }
}

TEST(Handshake, ServerSpeaksFirst) {
  Pair pair(8);
  ASSERT_TRUE(exchange(pair, 0, 100'000));
  expect_exact(pair, FallbackReason::kNone, FallbackReason::kNone);
}

TEST(Handshake, FirstDataAfterTheSecondSegment) {
  // The segment that carries the keys is late: those after it have only a DSS.
  Pair pair(9);
  int seen = 0;
  pair.network.middleboxes = {
      [&](size_t, Direction d, Segment& s) { return !(to_server(d, s) && is_not_syn(d, s) && ++seen <= 2); }};
  ASSERT_TRUE(exchange(pair, 100'000, 100'000));
  expect_exact(pair, FallbackReason::kNone, FallbackReason::kNone);
}

TEST(Handshake, SynLostIsSentAgainWithTheOption) {
  Pair pair(10);
  pair.network.middleboxes = {lose(is_syn, 1), lose(is_syn_ack, 1)};
  ASSERT_TRUE(exchange(pair, 100'000, 100'000));
  expect_exact(pair, FallbackReason::kNone, FallbackReason::kNone);
}

TEST(Handshake, LateAnswerToTheSynWithTheOption) {
  // The SYN/ACK answers a SYN with MP_CAPABLE although a plain one was sent since.
  Pair pair(11, {PathOptions{.delay = 4s}});
  pair.client.config.syn_attempts_with_multipath = 1;
  ASSERT_TRUE(exchange(pair, 10'000, 10'000));
  expect_exact(pair, FallbackReason::kNone, FallbackReason::kNone);
}

TEST(Handshake, RefusedAndUnanswered) {
  Pair refused(12);
  refused.is_listening = false;
  refused.connect();
  ASSERT_TRUE(refused.run_until([&] { return refused.client.connection->is_finished(); }));
  EXPECT_EQ(refused.client.connection->error(), ConnectionError::kRefused);
  EXPECT_TRUE(refused.client.saw(ConnectionEvent::kFailed));

  Pair silent(13);
  silent.cut(0);
  silent.connect();
  ASSERT_TRUE(silent.run_until([&] { return silent.client.connection->is_finished(); }, 300s));
  EXPECT_EQ(silent.client.connection->error(), ConnectionError::kTimedOut);
}

TEST(Handshake, SequenceNumbersRewrittenOnTheWay) {
  Pair pair(14, {PathOptions{.loss = 0.01}, PathOptions{.loss = 0.01}});
  pair.client.config.require_checksum = true;
  pair.add_client_endpoints();
  pair.network.middleboxes = {rewrite_sequence_numbers(0x12345678, 0x9abcdef0)};
  ASSERT_TRUE(exchange(pair, 500'000, 500'000));
  expect_exact(pair, FallbackReason::kNone, FallbackReason::kNone);
  EXPECT_GE(pair.server.counter(Counter::kJoinAckRx), 1u);
}

}  // namespace
}  // namespace braid::mptcp
