#include "cli/command_line.h"

#include "cli/subcommands.h"

namespace braid::cli {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

CommandLine split(const std::vector<std::string>& arguments) {
  CLI::App app;
  int exit_status = 0;
  std::vector<std::string> command;
  add_run(app, command, exit_status);
  return split_command_line(arguments, *app.get_subcommand("run"));
}

TEST(CommandLine, TheProgramsOptionsAreNotBraids) {
  const CommandLine line = split({"run", "curl", "--pcap", "-s", "--", "x"});
  EXPECT_THAT(line.own, ElementsAre("run"));
  EXPECT_THAT(line.command, ElementsAre("curl", "--pcap", "-s", "--", "x"));
}

TEST(CommandLine, ValuesOfBraidsOptionsAreNotTheProgram) {
  const CommandLine line =
      split({"run", "--pcap", "x.pcap", "--scheduler=lowest-rtt", "--checksum", "ssh", "-v"});
  EXPECT_THAT(line.own, ElementsAre("run", "--pcap", "x.pcap", "--scheduler=lowest-rtt", "--checksum"));
  EXPECT_THAT(line.command, ElementsAre("ssh", "-v"));
}

TEST(CommandLine, TwoDashesEndBraidsOptions) {
  const CommandLine line = split({"run", "--checksum", "--", "--odd-name", "--checksum"});
  EXPECT_THAT(line.own, ElementsAre("run", "--checksum"));
  EXPECT_THAT(line.command, ElementsAre("--odd-name", "--checksum"));
}

TEST(CommandLine, OtherSubcommandsKeepTheirWords) {
  const CommandLine line = split({"endpoint", "add", "192.0.2.1", "dev", "eth0"});
  EXPECT_THAT(line.own, ElementsAre("endpoint", "add", "192.0.2.1", "dev", "eth0"));
  EXPECT_THAT(line.command, IsEmpty());
}

}  // namespace
}  // namespace braid::cli
