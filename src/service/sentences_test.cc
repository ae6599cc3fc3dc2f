#include "service/sentences.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace braid::service {
namespace {

using mptcp::Decision;
using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using Kind = Decision::Kind;

wire::IpAddress address(const char* text) { return *wire::IpAddress::parse(text); }

Decision decision(Kind kind) {
  Decision d{.kind = kind};
  d.subflow = 1;
  d.tuple = {{address("198.51.100.1"), 61000}, {address("203.0.113.2"), 443}};
  return d;
}

/// All that there are, also those that a later version adds: to_string has a name for each.
std::vector<Kind> all_kinds() {
  std::vector<Kind> all;
  for (int i = 0; i < 256 && to_string(static_cast<Kind>(i)) != "?"; ++i) all.push_back(static_cast<Kind>(i));
  return all;
}

TEST(Sentences, ThereIsOneForEveryKindOfDecisionAndNoTwoAreAlike) {
  std::set<std::string> seen;
  ASSERT_GE(all_kinds().size(), 26u);
  for (const Kind kind : all_kinds()) {
    const std::string text = sentence(decision(kind));
    EXPECT_GT(text.size(), 15u) << to_string(kind) << " has no sentence";
    EXPECT_THAT(text, EndsWith(".")) << to_string(kind);
    EXPECT_TRUE(seen.insert(text).second) << to_string(kind) << " says what another says: " << text;
  }
}

template <class Enum>
void expect_meanings(Enum last) {
  std::set<std::string_view> seen;
  for (int i = 0; i <= static_cast<int>(last); ++i) {
    const auto value = static_cast<Enum>(i);
    EXPECT_FALSE(meaning_of(value).empty()) << to_string(value);
    EXPECT_TRUE(seen.insert(meaning_of(value)).second) << to_string(value);
  }
  // The last is the last: one that is added after it is missed by nobody.
  EXPECT_THAT(std::string(to_string(static_cast<Enum>(static_cast<int>(last) + 1))),
              testing::AnyOf("?", "unknown"));
}

TEST(Sentences, AConnectionSaysWhatItsSynCarried) {
  Decision d = decision(Kind::kOpened);
  d.why = "by us";
  EXPECT_THAT(sentence(d), Not(HasSubstr("SYN")));
  d.amount = 500;
  EXPECT_THAT(sentence(d), HasSubstr("500 bytes went with the SYN already, and the peer took them."));
  EXPECT_THAT(to_json_members(mptcp::Token{1}, d), HasSubstr(R"("bytes":500)"));
  d.why = "by the peer";
  EXPECT_THAT(sentence(d), EndsWith("500 bytes went with the SYN already."));
}

TEST(Sentences, EveryReasonHasAMeaningOfItsOwn) {
  expect_meanings(mptcp::FallbackReason::kSynOptionDroppedBefore);
  expect_meanings(mptcp::SubflowEnd::kClosedByProgram);
  expect_meanings(mptcp::ConnectionError::kAborted);
  expect_meanings(wire::ResetReason::kMiddleboxInterference);
}

TEST(Sentences, FallbackNamesItsReasonAndTheSegment) {
  Decision d = decision(Kind::kFellBack);
  d.why = to_string(mptcp::FallbackReason::kThirdAckStripped);
  d.packet = "203.0.113.2:443 > 198.51.100.1:61000 A ack 1";
  EXPECT_THAT(sentence(d), AllOf(HasSubstr("plain TCP"), HasSubstr("removes them"),
                                 HasSubstr("led to it: 203.0.113.2:443 > 198.51.100.1:61000 A ack 1.")));
}

TEST(Sentences, ARefusedJoinTellsThePeersReason) {
  Decision d = decision(Kind::kSubflowEnded);
  d.why = to_string(mptcp::SubflowEnd::kRefusedJoin);
  d.detail = to_string(wire::ResetReason::kAdministrativelyProhibited);
  EXPECT_THAT(sentence(d), AllOf(HasSubstr("Path 1 (198.51.100.1 -> 203.0.113.2:443) did not come up"),
                                 HasSubstr("administratively-prohibited"), HasSubstr("do not allow it")));
  // Linux lets the handshake come about first.
  d.why = to_string(mptcp::SubflowEnd::kReset);
  EXPECT_THAT(sentence(d), HasSubstr("the peer refused it, its reason being"));
  d.detail = {};
  EXPECT_THAT(sentence(d), AllOf(HasSubstr("something on the way"), Not(HasSubstr("its reason"))));
}

TEST(Sentences, ThePathThatEndedTellsWhatItCarried) {
  Decision d = decision(Kind::kSubflowEnded);
  d.why = to_string(mptcp::SubflowEnd::kTimedOut);
  d.amount = 1;
  d.sent_bytes = 2'500'000;
  d.retransmitted_bytes = 1'200;
  EXPECT_THAT(sentence(d), AllOf(HasSubstr("ended: nothing came back"),
                                 HasSubstr("sent 2.5 MB and received 0 bytes, 1.2 kB")));
}

TEST(Sentences, AnAddressWithAPortIsTold) {
  Decision d = decision(Kind::kAddressLearned);
  d.address = address("203.0.113.9");
  d.amount = 3;
  EXPECT_EQ(sentence(d), "The peer announced its address 203.0.113.9 (ID 3).");
  d.port = 8443;
  EXPECT_EQ(sentence(d), "The peer announced its address 203.0.113.9 port 8443 (ID 3).");
}

TEST(Sentences, PriorityGoesBothWays) {
  Decision d = decision(Kind::kPriorityChanged);
  d.why = "by the peer";
  d.amount = 1;
  EXPECT_THAT(sentence(d), AllOf(HasSubstr("a backup"), HasSubstr("by the peer")));
  d.amount = 0;
  EXPECT_THAT(sentence(d), HasSubstr("a regular path"));
}

TEST(Sentences, AReasonThatIsNotKnownIsGivenAsItIs) {
  Decision d = decision(Kind::kFailed);
  d.why = "something-new";
  EXPECT_EQ(sentence(d), "The connection failed: something-new.");
}

TEST(Sentences, SizesAndDurationsHaveThreeDigits) {
  EXPECT_EQ(bytes_text(0), "0 bytes");
  EXPECT_EQ(bytes_text(1), "1 byte");
  EXPECT_EQ(bytes_text(999), "999 bytes");
  EXPECT_EQ(bytes_text(1000), "1.0 kB");
  EXPECT_EQ(bytes_text(999'499), "999 kB");
  EXPECT_EQ(bytes_text(999'500), "1.0 MB");
  EXPECT_EQ(bytes_text(UINT64_MAX), "18 EB");
  EXPECT_EQ(duration_text(50us), "0.05 ms");
  EXPECT_EQ(duration_text(12ms), "12 ms");
  EXPECT_EQ(duration_text(1250ms), "1.25 s");
  EXPECT_EQ(duration_text(59s), "59.0 s");
  EXPECT_EQ(duration_text(200s), "3 min 20 s");
  EXPECT_EQ(duration_text(Duration(2h) + Duration(5min)), "2 h 5 min");
  EXPECT_EQ(duration_text(50h), "2 d 2 h");
}

}  // namespace
}  // namespace braid::service
