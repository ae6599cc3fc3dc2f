#include "cli/pm_words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace braid::cli {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using Words = std::vector<std::string>;

TEST(PmWords, AreRequests) {
  EXPECT_EQ(parse_pm_words("announce", {"192.0.2.7", "token", "8f3d9c2e", "port", "443", "id", "3"}).value(),
            json({{"command", "pm"},
                  {"action", "announce"},
                  {"address", "192.0.2.7"},
                  {"token", "8f3d9c2e"},
                  {"port", 443},
                  {"id", 3}}));
  EXPECT_EQ(parse_pm_words("open", {"token", "0x1", "from", "192.0.2.7", "to", "2001:db8::1", "port", "80",
                                    "label", "10", "backup"})
                .value(),
            json({{"command", "pm"},
                  {"action", "open"},
                  {"token", "0x1"},
                  {"local", "192.0.2.7"},
                  {"remote", "2001:db8::1"},
                  {"remote_port", 80},
                  {"label", 10},
                  {"backup", true}}));
  EXPECT_EQ(parse_pm_words("set", {"subflow", "1", "nobackup", "token", "ab"}).value()["backup"], false);
  EXPECT_EQ(parse_pm_words("remove", {"id", "0", "token", "ab"}).value()["id"], 0);
  EXPECT_EQ(parse_pm_words("close", {"subflow", "0", "token", "ab"}).value()["subflow"], 0);
}

TEST(PmWords, SayWhatIsWrong) {
  const auto error = [](const std::string& action, const Words& words) {
    const auto parsed = parse_pm_words(action, words);
    return parsed ? "" : parsed.error();
  };
  EXPECT_EQ(error("open", {}), "token is needed");
  EXPECT_EQ(error("open", {"token"}), "token needs a value");
  EXPECT_THAT(error("open", {"token", "xyz"}), HasSubstr("xyz is no token"));
  EXPECT_THAT(error("open", {"token", "123456789"}), HasSubstr("is no token"));
  EXPECT_EQ(error("open", {"token", "1", "labell", "10"}), "there is no 'labell'; did you mean 'label'?");
  EXPECT_EQ(error("open", {"token", "1", "from", "here"}), "here is no IPv4 or IPv6 address");
  EXPECT_EQ(error("open", {"token", "1", "label", "64"}), "label takes a number from 0 to 63, not 64");
  EXPECT_EQ(error("set", {"token", "1", "subflow", "1"}), "backup is needed");
  EXPECT_EQ(error("announce", {"token", "1"}), "address is needed");
  EXPECT_THAT(error("announce", {"192.0.2.1", "192.0.2.2", "token", "1"}),
              HasSubstr("'192.0.2.2' is none of"));
}

TEST(PmWords, EventsAreLines) {
  EXPECT_EQ(format_event({{"event", "subflow-down"},
                          {"token", "8f3d9c2e"},
                          {"time_s", 1.5},
                          {"local", "192.0.2.1:5"},
                          {"why", "reset"},
                          {"subflow", 1}}),
            "SUBFLOW-DOWN   token=8f3d9c2e subflow=1 local=192.0.2.1:5 why=reset");
}

}  // namespace
}  // namespace braid::cli
