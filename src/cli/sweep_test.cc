// `braid sweep` as a command: exit codes, and what it says when something is wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "cli/subcommands.h"

namespace braid::cli {
namespace {

using testing::HasSubstr;

const std::string kScenario = std::string(BRAID_EXAMPLES) + "/two-paths.toml";

struct Outcome {
  int status = -1;
  std::string out, error;
};

Outcome sweep(std::vector<std::string> words) {
  CLI::App app;
  Outcome outcome;
  add_sweep(app, outcome.status);
  words.insert(words.begin(), {"sweep", kScenario, "--set", "duration=1s"});
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  try {
    app.parse(std::vector<std::string>(words.rbegin(), words.rend()));
  } catch (const CLI::ParseError& error) {
    outcome.error = error.what();
    outcome.status = kExitUsage;  // as main() has it
  }
  outcome.out = testing::internal::GetCapturedStdout();
  outcome.error += testing::internal::GetCapturedStderr();
  return outcome;
}

TEST(SweepCommand, WritesATableAndACsv) {
  const std::string csv = testing::TempDir() + "sweep_test.csv";
  const auto written = [&](const std::string& jobs) {
    const Outcome outcome =
        sweep({"--vary", "links.wifi.loss=0,0.01", "--seeds", "2", "--jobs", jobs, "--csv", csv});
    EXPECT_EQ(outcome.status, 0) << outcome.error;
    EXPECT_THAT(outcome.out, HasSubstr("links.wifi.loss"));
    std::ostringstream text;
    text << std::ifstream(csv).rdbuf();
    return text.str();
  };
  const std::string alone = written("1");
  EXPECT_EQ(std::count(alone.begin(), alone.end(), '\n'), 3);
  EXPECT_EQ(alone, written("2"));
  std::filesystem::remove(csv);
}

TEST(SweepCommand, DrawsAPicture) {
  const std::string picture = testing::TempDir() + "sweep_test.svg";
  std::filesystem::remove(picture);
  const Outcome outcome = sweep({"--vary", "links.wifi.delay=5..25:10ms", "--vary",
                                 "hosts.server.congestion_control=cubic,lia", "--plot", picture});
  EXPECT_EQ(outcome.status, 0) << outcome.error;
  std::ostringstream text;
  text << std::ifstream(picture).rdbuf();
  // matplotlib leaves what it draws as a comment beside each text.
  EXPECT_THAT(text.str(), HasSubstr("links.wifi.delay (ms)"));
  EXPECT_THAT(text.str(), HasSubstr("congestion_control lia"));
  std::filesystem::remove(picture);
}

TEST(SweepCommand, RefusesWithAReasonBeforeItRuns) {
  const auto refusal = [](const std::vector<std::string>& words) {
    const Outcome outcome = sweep(words);
    EXPECT_EQ(outcome.status, kExitUsage);
    EXPECT_EQ(outcome.out, "");
    return outcome.error;
  };
  EXPECT_THAT(refusal({}), HasSubstr("nothing varies; add --vary KEY=VALUE,VALUE"));
  EXPECT_THAT(refusal({"--vary", "links.wifi.los=1"}), HasSubstr("did you mean \"loss\"?"));
  EXPECT_THAT(refusal({"--vary", "links.wifi.loss=much"}), HasSubstr("with links.wifi.loss=much:"));
  EXPECT_THAT(refusal({"--vary", "links.wifi.loss"}), HasSubstr("expected KEY=VALUE"));
  EXPECT_THAT(refusal({"--vary", "name=a", "--plot", "x.jpeg"}), HasSubstr("must end in .svg or .png"));
  EXPECT_THAT(refusal({"--vary", "name=a", "--csv", "/nowhere/x.csv"}), HasSubstr("cannot be written"));
  EXPECT_THAT(refusal({"--seeds", "2", "--plot", "x.svg"}), HasSubstr("--plot needs a key for the x axis"));
  EXPECT_THAT(refusal({"--vary", "name=a", "--jobs", "0"}), HasSubstr("--jobs"));
}

}  // namespace
}  // namespace braid::cli
