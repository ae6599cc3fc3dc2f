// The language itself: what it complains of, and how.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "segments/language/octets.h"
#include "segments/language/runner.h"
#include "segments/language/secrets.h"
#include "segments/language/segment_text.h"
#include "segments/language/words.h"

namespace braid::segments {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class Language : public ::testing::Test {
 protected:
  std::string play(const std::string& text) const {
    std::ofstream(file_) << text;
    return run_script(file_);
  }
  void TearDown() override { std::filesystem::remove(file_); }

  const std::string file_ = ::testing::TempDir() + "braid_" +
                            ::testing::UnitTest::GetInstance()->current_test_info()->name() + ".seg";
};

TEST_F(Language, PlaysAScenario) { EXPECT_EQ(play("mptcp off\n---\nconnect\n> S\n"), ""); }

TEST_F(Language, SaysWhatCameInstead) {
  const std::string complaint = play("mptcp off\n---\nconnect\n> S. seq 0\n");
  EXPECT_THAT(complaint, StartsWith(file_ + ":4: > S. seq 0\n"));
  EXPECT_THAT(complaint, HasSubstr("came: 0 > S seq 0 win 65535 <mss 1460"));
}

TEST_F(Language, SaysThatNothingCame) {
  EXPECT_THAT(play("---\n+1 > S\n"), HasSubstr("nothing came until 1.001"));
}

TEST_F(Language, SaysThatItCameAtAnotherTime) {
  EXPECT_THAT(play("mptcp off\n---\nconnect\n> S\n+2 > S\n"), HasSubstr("at another time came: 1 > S"));
}

TEST_F(Language, TakesNoSegmentThatNobodyExpects) {
  EXPECT_THAT(play("mptcp off\n---\nconnect\n> S\n+2 nothing\n"), HasSubstr("before that came: 1 > S"));
  EXPECT_THAT(play("mptcp off\n---\nconnect\n"), HasSubstr("after the end came: 0 > S"));
}

TEST_F(Language, TakesNoOptionThatNobodyExpects) {
  EXPECT_THAT(play("---\nconnect\n> S\n"), HasSubstr("there is mpcapable"));
}

TEST_F(Language, RefusesWhatItDoesNotKnow) {
  EXPECT_THAT(play("no-such-setting 1\n---\n"), HasSubstr(":1: no-such-setting 1"));
  EXPECT_THAT(play("---\nfly away\n"), HasSubstr("not understood: fly"));
  EXPECT_THAT(play("---\n< X\n"), HasSubstr("not flags: X"));
  EXPECT_THAT(play("---\n< S <mss>\n"), HasSubstr("something is missing"));
  EXPECT_THAT(play("mptcp off\n"), HasSubstr("no line of dashes"));
}

TEST_F(Language, WritesFastOpenAndVersion0) {
  EXPECT_EQ(play("---\nlisten\n< S <mss 1460, mpcapable v0 flags H key=$peer>\n> S. <*>\n"), "");
  EXPECT_EQ(play("mptcp off\n---\nlisten\n< S <mss 1460, tfo request>\n> S. <*>\n"), "");
}

TEST(Words, ReadsNumbersAndTimes) {
  EXPECT_EQ(to_number("0x10"), 16);
  EXPECT_EQ(to_number("-3"), -3);
  EXPECT_FALSE(is_number("12ms"));
  EXPECT_EQ(to_duration("0.2"), Duration(200'000'000));
  EXPECT_EQ(to_duration("40ms"), Duration(40'000'000));
  EXPECT_EQ(split_words("key=$local  id 3"), (std::vector<std::string>{"key", "$local", "id", "3"}));
}

TEST(SegmentText, IsShownAsItIsWritten) {
  const std::string text = "FP. seq 1 ack 2 len 3 <ts 1 ecr 2, dss ack 5 seq 6 fin, sack 1:2 3:4>";
  EXPECT_EQ(parse_segment(text).to_string(), text);
}

TEST(Secrets, OfVersion1FollowRfc8684) {
  // RFC 8684, 3.1: token and IDSN are the two ends of the key's SHA-256. By sha256sum of eight zero octets.
  const Secret secret = secret_of(0, 1);
  EXPECT_EQ(secret.token, 0xaf5570f5u);
  EXPECT_EQ(secret.idsn, 0xe5b2328de0e83dfcu);
}

TEST(Secrets, OfVersion0FollowRfc6824) {
  const Secret secret = secret_of(0, 0);
  EXPECT_EQ(secret.token, 0x05fe4057u);
  EXPECT_EQ(secret.idsn, 0xac558654f107c7e9u);
}

}  // namespace
}  // namespace braid::segments
