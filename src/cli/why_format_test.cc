#include "cli/why_format.h"

#include <algorithm>
#include <sstream>

namespace braid::cli {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

json answer() {
  return {{"connection",
           {{"token", "8f3d9c2e"},
            {"local", "192.0.2.1:61000"},
            {"remote", "203.0.113.2:443"},
            {"state", "open"},
            {"is_multipath", true},
            {"is_server", false},
            {"begun_unix_s", 1.7e9},
            {"age_s", 5.0},
            {"decisions", 3}}},
          {"history",
           {{{"after_s", 0.0}, {"text", "Connected."}},
            {{"after_s", 1.25}, {"text", "Sent again."}, {"count", 7}, {"last_after_s", 9.5}},
            {{"after_s", 125.5}, {"text", "Path 1 is up."}}}},
          {"left_out", 0},
          {"left_out_after", 2},
          {"now", {"It is ESTABLISHED.", "Path 0 is up."}},
          {"others", 0}};
}

TEST(WhyFormat, HasALineForEachDecisionWithItsTime) {
  const std::string text = format_why(answer(), 0);
  EXPECT_THAT(
      text,
      HasSubstr("Connection 8f3d9c2e  192.0.2.1:61000 -> 203.0.113.2:443  Multipath TCP, opened here at "));
  EXPECT_THAT(text, HasSubstr("\n    +0.000 s  Connected.\n"));
  EXPECT_THAT(text, HasSubstr("\n    +1.250 s  Sent again. (7 times, the last at +9.500 s)\n"));
  EXPECT_THAT(text, HasSubstr("\n   +2:05 min  Path 1 is up.\n"));
  EXPECT_THAT(text, HasSubstr("\n         now  It is ESTABLISHED.\n              Path 0 is up.\n"));
  EXPECT_THAT(text, Not(HasSubstr("not kept")));
  EXPECT_THAT(text, Not(HasSubstr("forgotten")));
}

TEST(WhyFormat, SaysWhatIsMissing) {
  json some = answer();
  some["left_out"] = 12;
  some["has_forgotten"] = true;
  some["others"] = 2;
  const std::string text = format_why(some, 0);
  const size_t gap = text.find("12 decisions in between were not kept");
  ASSERT_NE(gap, std::string::npos);
  EXPECT_GT(gap, text.find("Sent again"));
  EXPECT_LT(gap, text.find("Path 1 is up"));
  EXPECT_THAT(text, HasSubstr("What was before is forgotten"));
  EXPECT_THAT(text, HasSubstr("2 more of that name"));
}

TEST(WhyFormat, AClosedOneHasAnEnd) {
  json closed = answer();
  closed["connection"]["over_s"] = 5.0;
  EXPECT_THAT(format_why(closed, 0), HasSubstr("\n         end  It is"));
}

TEST(WhyFormat, LinesFitTheTerminalAndHangUnderTheText) {
  json some = answer();
  some["history"][0]["text"] =
      "One two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen.";
  std::istringstream lines(format_why(some, 40));
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 40u) << line;
  EXPECT_THAT(format_why(some, 40), HasSubstr("+0.000 s  One two three four five\n              six seven"));
}

TEST(Wrap, KeepsEveryWord) {
  const std::string text = "aaa bb c dddddddddddddddddddd eeee ff g";
  for (int columns = 1; columns < 60; ++columns) {
    std::string joined = wrap(text, 2, columns);
    std::ranges::replace(joined, '\n', ' ');
    std::string packed;
    for (const char c : joined)
      if (c != ' ' || packed.empty() || packed.back() != ' ') packed.push_back(c);
    EXPECT_EQ(packed, text) << columns;
  }
}

TEST(WhyFormat, ListsThoseThatAreKnown) {
  EXPECT_EQ(format_known({{"connections", json::array()}}), "No connection is known of.\n");
  json plain = answer()["connection"];
  plain["token"] = "00000000";
  plain["is_multipath"] = false;
  const std::string text = format_known({{"connections", {answer()["connection"], plain}}});
  EXPECT_THAT(text,
              HasSubstr("8f3d9c2e  192.0.2.1:61000->203.0.113.2:443  Multipath TCP  open     3 decisions\n"));
  EXPECT_THAT(text, HasSubstr("       -  192.0.2.1:61000->203.0.113.2:443  plain TCP "));
}

TEST(DecisionFormat, SaysWhatWasLost) {
  EXPECT_THAT(format_decision({{"event", "lost"}, {"count", 12}}, 0), HasSubstr("12 events were lost"));
  EXPECT_THAT(format_decision(
                  {{"event", "opened"}, {"connection", "8f3d9c2e"}, {"time_s", 1.5}, {"text", "Hello."}}, 0),
              HasSubstr("01.500 8f3d9c2e  Hello."));
}

}  // namespace
}  // namespace braid::cli
