#include "cli/ss_format.h"

#include <algorithm>
#include <sstream>

namespace braid::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

nlohmann::json make_subflow(int index, const std::string& local, const std::string& remote) {
  return {{"index", index},
          {"tuple", {{"local", local}, {"remote", remote}}},
          {"state", "ESTABLISHED"},
          {"is_initial", index == 0},
          {"is_fully_established", true},
          {"congestion_control", "cubic"},
          {"srtt_us", 1234},
          {"cwnd_bytes", 120'000},
          {"data_sent_bytes", 3'000'000},
          {"data_received_bytes", 0}};
}

nlohmann::json make_answer(nlohmann::json subflows) {
  return {{"listeners", nlohmann::json::array()},
          {"connections",
           {{{"state", "ESTABLISHED"},
             {"local", "192.0.2.1:61000"},
             {"remote", "192.0.2.2:80"},
             {"multipath", "established"},
             {"fallback", "none"},
             {"local_token", 0x12345678},
             {"remote_token", 0x9abcdef0},
             {"scheduler", "lowest-rtt"},
             {"congestion_control", "cubic"},
             {"path_manager", "endpoints"},
             {"owner", {{"pid", 4711}}},
             {"subflows", std::move(subflows)}}}}};
}

size_t longest_line(const std::string& text) {
  std::istringstream lines(text);
  size_t longest = 0;
  for (std::string line; std::getline(lines, line);) longest = std::max(longest, line.size());
  return longest;
}

TEST(SsFormat, SaysEachPathsShare) {
  auto first = make_subflow(0, "192.0.2.1:61000", "192.0.2.2:80");
  auto second = make_subflow(1, "198.51.100.1:61001", "198.51.100.2:80");
  second["data_sent_bytes"] = 1'000'000;
  const std::string text = format_ss(make_answer({first, second}));
  EXPECT_THAT(text, HasSubstr("75 %"));
  EXPECT_THAT(text, HasSubstr("25 %"));
  EXPECT_THAT(text, HasSubstr("pid 4711"));
  EXPECT_THAT(text, HasSubstr("12345678"));
}

TEST(SsFormat, SaysWhoseSynCarriedData) {
  auto answer = make_answer({make_subflow(0, "192.0.2.1:61000", "192.0.2.2:80")});
  EXPECT_THAT(format_ss(answer), Not(HasSubstr("SYN")));
  answer["connections"][0]["syn_data_bytes"] = 500;
  EXPECT_THAT(format_ss(answer), HasSubstr("500 B of our SYN"));
  answer["connections"][0]["is_server"] = true;
  EXPECT_THAT(format_ss(answer), HasSubstr("500 B of the peer's SYN"));
}

TEST(SsFormat, FitsIn100ColumnsWithTheLongestAddresses) {
  auto subflow = make_subflow(0, "[2001:db8:1111:2222:3333:4444:5555:6666]:61000",
                              "[2001:db8:1111:2222:3333:4444:5555:7777]:443");
  subflow["retransmissions"] = 123'456;
  subflow["retransmitted_bytes"] = 123'456'789;
  subflow["timeouts"] = 99;
  subflow["is_fully_established"] = true;
  const std::string text = format_ss(make_answer({subflow}));
  EXPECT_LE(longest_line(text), 100u) << text;
}

TEST(SsFormat, SaysWhyItIsPlainTcp) {
  auto answer = make_answer({make_subflow(0, "192.0.2.1:61000", "192.0.2.2:80")});
  answer["connections"][0]["fallback"] = "peer not capable";
  const std::string text = format_ss(answer);
  EXPECT_THAT(text, HasSubstr("plain TCP: peer not capable"));
  EXPECT_THAT(text, Not(HasSubstr("token")));
}

TEST(SsFormat, AnEmptyAnswerIsSaid) { EXPECT_EQ(format_ss(nlohmann::json::object()), "No connections.\n"); }

TEST(SsFormat, BytesHaveThreeDigitsAtMost) {
  EXPECT_EQ(format_bytes(0), "0 B");
  EXPECT_EQ(format_bytes(999), "999 B");
  EXPECT_EQ(format_bytes(1'000), "1.0 kB");
  EXPECT_EQ(format_bytes(9'960), "10 kB");
  EXPECT_EQ(format_bytes(999'600), "1.0 MB");
  EXPECT_EQ(format_bytes(UINT64_MAX), "18 EB");
}

}  // namespace
}  // namespace braid::cli
