#include <algorithm>
#include <sstream>

#include "cli/monitor_view.h"

namespace braid::cli {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) out.push_back(line);
  return out;
}
/// Columns, and not octets.
size_t width_of(const std::string& line) {
  return static_cast<size_t>(std::ranges::count_if(line, [](char c) { return (c & 0xc0) != 0x80; }));
}

json subflow(int index, const std::string& local, uint64_t received, bool is_backup = false) {
  return {{"index", index},
          {"local", local + ":61000"},
          {"remote", "203.0.113.2:443"},
          {"state", "ESTABLISHED"},
          {"is_initial", index == 0},
          {"is_backup", is_backup},
          {"is_stalled", false},
          {"is_fully_established", true},
          {"srtt_us", 12'300},
          {"cwnd_bytes", 120'000},
          {"in_flight_bytes", 4000},
          {"data_sent_bytes", 1000},
          {"data_received_bytes", received},
          {"retransmitted_bytes", 0},
          {"retransmissions", 0}};
}
json connection(uint16_t port, json subflows) {
  return {{"local", "192.0.2.1:" + std::to_string(port)},
          {"remote", "203.0.113.2:443"},
          {"state", "ESTABLISHED"},
          {"multipath", "established"},
          {"fallback", "none"},
          {"local_token", 0x8f3d9c2eu + port},
          {"scheduler", "lowest-rtt"},
          {"age_us", 65e6},
          {"owner", {{"pid", 4711}}},
          {"subflows", std::move(subflows)}};
}
json ss(json connections) { return {{"connections", std::move(connections)}, {"listeners", json::array()}}; }
const json kStatus = {{"version", "1.2"}, {"uptime_us", 3'723e6}};

/// Two samples of one connection over two paths, a second apart: 3 MB and 1 MB came meanwhile.
Snapshot usual_snapshot() {
  Sampler sampler;
  sampler.take(ss({connection(61000, {subflow(0, "192.0.2.1", 0), subflow(1, "198.51.100.1", 0)})}), kStatus,
               10);
  json plain = connection(61001, {subflow(0, "192.0.2.1", 0)});
  plain["multipath"] = "fallback";
  plain["fallback"] = "peer-not-capable";
  Snapshot snapshot = sampler.take(ss({connection(61000, {subflow(0, "192.0.2.1", 3'000'000),
                                                          subflow(1, "198.51.100.1", 1'000'000, true)}),
                                       plain}),
                                   kStatus, 11);
  snapshot.events = {
      "12:31:02 8f3d9c2e  Path 1 (198.51.100.1 -> 203.0.113.2:443) is up.",
      "12:31:09 8f3d9c2e  Path 0 (192.0.2.1 -> 203.0.113.2:443) is silent, without an answer for a "
      "whole timeout: it is only probed now, and 12 kB that it holds may go on other paths."};
  return snapshot;
}

// ---- samples

TEST(Sample, RatesAreTheDifferenceOfTwo) {
  const Snapshot snapshot = usual_snapshot();
  ASSERT_EQ(snapshot.connections.size(), 2u);
  EXPECT_DOUBLE_EQ(snapshot.connections[0].traffic.in, 4e6);
  EXPECT_DOUBLE_EQ(snapshot.connections[0].paths[0].traffic.in, 3e6);
  EXPECT_DOUBLE_EQ(snapshot.connections[0].traffic.out, 0);
  EXPECT_DOUBLE_EQ(snapshot.traffic.in, 4e6);
  ASSERT_EQ(snapshot.addresses.size(), 2u);
  EXPECT_EQ(snapshot.addresses[0].address, "192.0.2.1");
  EXPECT_EQ(snapshot.addresses[0].subflows, 2);
  EXPECT_EQ(snapshot.addresses[1].backup, 1);
  EXPECT_EQ(snapshot.connections[1].protocol, "TCP");
  EXPECT_EQ(snapshot.connections[1].token, "8f3e8a77");  // by which `braid why` knows it
}

TEST(Sample, TheFirstHasNoRatesAndCountersThatGoBackHaveNone) {
  Sampler sampler;
  EXPECT_EQ(sampler.take(ss({connection(1, {subflow(0, "192.0.2.1", 500)})}), kStatus, 1).traffic.in, 0);
  // Another connection between the same ends.
  EXPECT_EQ(sampler.take(ss({connection(1, {subflow(0, "192.0.2.1", 100)})}), kStatus, 2).traffic.in, 0);
  EXPECT_EQ(sampler.take(ss({connection(1, {subflow(0, "192.0.2.1", 300)})}), kStatus, 4).traffic.in, 100);
}

TEST(Sample, LossIsTheShareThatWasSentAgain) {
  Sampler sampler;
  json before = subflow(0, "192.0.2.1", 0), after = before;
  after["data_sent_bytes"] = 1000 + 900;
  after["retransmitted_bytes"] = 100;
  sampler.take(ss({connection(1, {before})}), kStatus, 1);
  EXPECT_DOUBLE_EQ(sampler.take(ss({connection(1, {after})}), kStatus, 2).connections[0].traffic.lost, 0.1);
}

TEST(Sample, AddressesOfIpv6StandWithoutBrackets) {
  Sampler sampler;
  json path = subflow(0, "[2001:db8::1]", 0);
  EXPECT_EQ(sampler.take(ss({connection(1, {path})}), kStatus, 1).addresses.at(0).address, "2001:db8::1");
}

// ---- what is on the screen

TEST(View, FitsEverySize) {
  for (const TerminalSize size :
       {TerminalSize{80, 24}, {40, 12}, {200, 60}, {20, 6}, {132, 43}, {1000, 3}, {1, 1}}) {
    for (const bool is_utf8 : {false, true}) {
      ViewState view;
      for (const bool is_help : {false, true}) {
        view.is_help = is_help;
        const auto lines = lines_of(render(usual_snapshot(), view, size, is_utf8).to_text());
        ASSERT_EQ(lines.size(), static_cast<size_t>(size.rows));
        for (const std::string& line : lines)
          EXPECT_LE(width_of(line), static_cast<size_t>(size.columns)) << line;
      }
    }
  }
}

TEST(View, At80x24EverythingIsThere) {
  ViewState view;
  const std::string text = render(usual_snapshot(), view, {80, 24}, false).to_text();
  EXPECT_THAT(text, HasSubstr(" braid 1.2  up 1h02m  2 connections: 1 MPTCP, 1 TCP"));
  EXPECT_THAT(text, HasSubstr(" in 32.0M bit/s  out 8.0k bit/s"));
  EXPECT_THAT(text, HasSubstr(" 203.0.113.2:443"));
  EXPECT_THAT(text, HasSubstr("8f3e8a76"));
  EXPECT_THAT(text,
              testing::ContainsRegex("   0 192.0.2.1 > 203.0.113.2 +up +24.0M +0 +12ms +- +120kB ######"));
  EXPECT_THAT(text, testing::ContainsRegex("   1 198.51.100.1:61000 +backup +8.0M"));
  EXPECT_THAT(text, testing::ContainsRegex("198.51.100.1 +8.0M #+"));
  EXPECT_THAT(text, HasSubstr(" EVENTS"));
  // A long one goes on in the next line, and the newest is whole.
  EXPECT_THAT(text, HasSubstr("\n          holds may go on other paths.\n"));
  EXPECT_THAT(text, HasSubstr(" q quit  ? help"));
}

TEST(View, At40x12ThereAreStillPathsAndRates) {
  ViewState view;
  const std::string text = render(usual_snapshot(), view, {40, 12}, false).to_text();
  EXPECT_THAT(text, Not(HasSubstr("EVENTS")));
  EXPECT_THAT(text, testing::ContainsRegex(" 203.0.113.2:443 +MPTCP +32.0M +0"));
  EXPECT_THAT(text, testing::ContainsRegex(" 0 192.0.2.1:61000 +up +24.0M +0"));
}

TEST(View, At200x60ThereAreBothEndsAndMoreColumns) {
  ViewState view;
  const std::string text = render(usual_snapshot(), view, {200, 60}, true).to_text();
  EXPECT_THAT(text, HasSubstr(" 192.0.2.1:61000 → 203.0.113.2:443"));
  for (const char* title : {"FLIGHT", "SENT", "RECVD", "PID", "AGE"}) EXPECT_THAT(text, HasSubstr(title));
  EXPECT_THAT(text, HasSubstr("4711"));
  EXPECT_THAT(text, HasSubstr("████████"));
}

TEST(View, WithThousandsOfConnectionsItShowsThoseThatFit) {
  Sampler sampler;
  json many = json::array();
  for (uint16_t port = 1; port <= 3000; ++port)
    many.push_back(connection(port, {subflow(0, "192.0.2.1", port)}));
  sampler.take(ss(json::array()), kStatus, 1);
  const Snapshot snapshot = sampler.take(ss(many), kStatus, 2);
  ViewState view;
  EXPECT_THAT(render(snapshot, view, {80, 24}, false).to_text(), HasSubstr("more lines"));
  // The last is brought onto the screen when it is chosen.
  on_key({Key::kEnd}, snapshot, view);
  EXPECT_EQ(view.selected, "192.0.2.1:1->203.0.113.2:443");
  const std::string text = render(snapshot, view, {120, 24}, false).to_text();
  EXPECT_THAT(text, HasSubstr(" 192.0.2.1:1 > 203.0.113.2:443"));
  EXPECT_THAT(text, Not(HasSubstr("more lines")));
}

TEST(View, SaysSoWhenThereIsNothing) {
  ViewState view;
  EXPECT_THAT(render(Snapshot{}, view, {80, 24}, false).to_text(), HasSubstr("no connections"));
}

TEST(View, NothingOfAPeersSteersTheTerminal) {
  Snapshot snapshot = usual_snapshot();
  snapshot.events.push_back("12:00:00 \x1b[2J\x07 \xc2\x9b evil");
  ViewState view;
  const std::string text = render(snapshot, view, {80, 24}, true).to_text();
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(text, Not(HasSubstr("\x07")));
  EXPECT_THAT(text, Not(HasSubstr("\xc2\x9b")));
  EXPECT_THAT(text, HasSubstr("evil"));
}

// ---- what goes to the terminal

TEST(FrameTest, OnlyLinesThatChangedAreSent) {
  Frame before({20, 3}), after({20, 3});
  before.put(0, 0, "same");
  after.put(0, 0, "same");
  after.put(2, 0, "new", Style::kBad);
  EXPECT_EQ(before.to_terminal(&before, true), "");
  EXPECT_THAT(after.to_terminal(&before, true), testing::StartsWith("\x1b[3;1H"));
  EXPECT_THAT(after.to_terminal(&before, true), HasSubstr("\x1b[0;1;31mnew"));
  EXPECT_THAT(after.to_terminal(nullptr, true), HasSubstr("\x1b[2J"));
  EXPECT_THAT(after.to_terminal(nullptr, true), HasSubstr("same"));
  Frame other({21, 3});
  EXPECT_THAT(after.to_terminal(&other, true), HasSubstr("\x1b[2J"));
}

TEST(FrameTest, WithoutColourThereIsNone) {
  Frame frame({20, 8});
  for (int style = 0; style <= static_cast<int>(Style::kDim); ++style)
    frame.put(style, 0, "x", static_cast<Style>(style));
  const std::string bytes = frame.to_terminal(nullptr, false);
  for (const char* colour : {";31m", ";32m", ";33m", "[31m", "[32m", "[33m"})
    EXPECT_THAT(bytes, Not(HasSubstr(colour)));
}

TEST(FrameTest, LongTextIsCutWithAMark) {
  Frame frame({10, 2});
  EXPECT_EQ(frame.put(0, 2, "abcdefghijkl"), 10);
  frame.put(1, 0, "→abcdef", Style::kPlain, 4);
  EXPECT_EQ(frame.to_text(), "  abcdefg~\n→ab…\n");
}

// ---- keys

std::vector<KeyPress> presses(std::string input) {
  std::vector<KeyPress> out;
  while (!input.empty()) out.push_back(next_key(input));
  return out;
}

TEST(Keys, SequencesOfTerminalsAreKnown) {
  const auto all = presses("q\x1b[A\x1bOB\x1b[5~\x1b[F\r\x7f\x1b[24~x\x1b");
  std::vector<Key> keys;
  for (const KeyPress& press : all) keys.push_back(press.key);
  EXPECT_EQ(keys, (std::vector{Key::kCharacter, Key::kUp, Key::kDown, Key::kPageUp, Key::kEnd, Key::kEnter,
                               Key::kBackspace, Key::kCharacter, Key::kCharacter, Key::kEscape}));
  EXPECT_EQ(all[7].character, '\0');
  EXPECT_EQ(all[8].character, 'x');
}

TEST(Keys, ChangeTheOrder) {
  Sampler sampler;
  sampler.take(ss(json::array()), kStatus, 1);
  const Snapshot snapshot = sampler.take(
      ss({connection(1, {subflow(0, "192.0.2.1", 100)}), connection(2, {subflow(0, "192.0.2.1", 900)})}),
      kStatus, 2);
  ViewState view;
  EXPECT_EQ(chosen(snapshot, view)[0]->local, "192.0.2.1:2");
  on_key({Key::kCharacter, 'r'}, snapshot, view);
  EXPECT_EQ(chosen(snapshot, view)[0]->local, "192.0.2.1:1");
  for (int i = 0; i < kSortKeyCount; ++i) on_key({Key::kCharacter, 's'}, snapshot, view);
  EXPECT_EQ(view.sort, SortKey::kRate);
  on_key({Key::kCharacter, 'S'}, snapshot, view);
  EXPECT_EQ(view.sort, SortKey::kName);
}

TEST(Keys, FindKeepsThoseThatHaveTheText) {
  const Snapshot snapshot = usual_snapshot();
  ViewState view;
  for (const char c : std::string("/6100")) on_key({Key::kCharacter, c}, snapshot, view);
  EXPECT_EQ(chosen(snapshot, view).size(), 2u);
  on_key({Key::kCharacter, '1'}, snapshot, view);
  EXPECT_EQ(chosen(snapshot, view).size(), 1u);
  EXPECT_THAT(render(snapshot, view, {80, 24}, false).to_text(), HasSubstr("find: 61001_"));
  on_key({Key::kEnter}, snapshot, view);
  EXPECT_EQ(on_key({Key::kCharacter, 'q'}, snapshot, view), Wish::kQuit);
  on_key({Key::kEscape}, snapshot, view);
  EXPECT_EQ(chosen(snapshot, view).size(), 2u);
}

TEST(Keys, PathsAreShownAndHidden) {
  const Snapshot snapshot = usual_snapshot();
  ViewState view;
  const auto text = [&] { return render(snapshot, view, {120, 12}, false).to_text(); };
  EXPECT_THAT(text(), HasSubstr(" 1 198.51.100.1"));
  on_key({Key::kDown}, snapshot, view);
  EXPECT_EQ(view.selected, "192.0.2.1:61000->203.0.113.2:443");
  on_key({Key::kCharacter, ' '}, snapshot, view);
  EXPECT_THAT(text(), Not(HasSubstr(" 1 198.51.100.1")));
  on_key({Key::kCharacter, 'e'}, snapshot, view);
  on_key({Key::kCharacter, ' '}, snapshot, view);
  EXPECT_THAT(text(), HasSubstr(" 1 198.51.100.1"));
}

TEST(Keys, WhyNeedsAConnectionAndItsTextGoesAwayAgain) {
  const Snapshot snapshot = usual_snapshot();
  ViewState view;
  EXPECT_EQ(on_key({Key::kEnter}, snapshot, view), Wish::kNothing);
  on_key({Key::kDown}, snapshot, view);
  EXPECT_EQ(on_key({Key::kEnter}, snapshot, view), Wish::kWhy);
  for (int i = 0; i < 50; ++i) view.overlay.push_back("line " + std::to_string(i));
  EXPECT_THAT(render(snapshot, view, {80, 24}, false).to_text(), HasSubstr("line 0\n"));
  on_key({Key::kPageDown}, snapshot, view);
  EXPECT_THAT(render(snapshot, view, {80, 24}, false).to_text(), Not(HasSubstr("line 0\n")));
  on_key({Key::kEscape}, snapshot, view);
  EXPECT_THAT(render(snapshot, view, {80, 24}, false).to_text(), HasSubstr("CONNECTION, PATHS"));
}

TEST(Rates, HaveFiveColumnsAtMost) {
  for (double value = 0.001; value < 1e13; value *= 1.07)
    EXPECT_LE(rate_text(value, false).size(), 5u) << value << " " << rate_text(value, false);
  EXPECT_EQ(rate_text(0, false), "0");
  EXPECT_EQ(rate_text(125e3, false), "1.0M");
  EXPECT_EQ(rate_text(125e3, true), "125k");
}

}  // namespace
}  // namespace braid::cli
