#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "mptcp/testing/pair.h"
#include "service/metrics_page.h"

namespace braid::service {
namespace {

using mptcp::Decision;
using testing::HasSubstr;
using testing::Not;

/// A page as a collector reads it; everything that is against the format is a failure of the test.
struct Page {
  std::map<std::string, std::string> types;    // by family
  std::map<std::string, std::string> samples;  // by name and labels
};

Page read(const std::string& text, MetricsFormat format) {
  static const std::regex kSample(
      R"re(([a-zA-Z_:][a-zA-Z0-9_:]*)(\{([a-zA-Z_][a-zA-Z0-9_]*="([^"\\]|\\["\\n])*",?)*\})? (NaN|[-+0-9.e]+))re");
  Page page;
  std::istringstream lines(text);
  std::string family, type;
  std::set<std::string> has_help;
  bool is_over = false;
  for (std::string line; std::getline(lines, line);) {
    EXPECT_FALSE(is_over) << "after the end: " << line;
    std::istringstream words(line);
    std::string mark, what, name;
    std::smatch parts;
    if (line == "# EOF") {
      is_over = true;
    } else if (line.starts_with("# ")) {
      words >> mark >> what >> name;
      if (what == "HELP") {
        EXPECT_TRUE(has_help.insert(name).second) << name << " has help twice";
        EXPECT_GT(line.size(), 8 + name.size()) << name << " has no help";
      } else {
        words >> type;
        EXPECT_EQ(what, "TYPE");
        EXPECT_TRUE(has_help.contains(name));
        EXPECT_TRUE(page.types.emplace(name, type).second) << name << " is there twice";
        family = name;
      }
    } else if (std::regex_match(line, parts, kSample)) {
      const bool is_suffixed = format == MetricsFormat::kOpenMetrics && type == "counter";
      EXPECT_EQ(parts[1], family + (is_suffixed ? "_total" : "")) << line;
      EXPECT_EQ(type == "counter", parts[1].str().ends_with("_total")) << line;
      const std::string key = parts[1].str() + parts[2].str();
      EXPECT_TRUE(page.samples.emplace(key, parts[5]).second) << key << " is there twice";
    } else {
      ADD_FAILURE() << "no line of the format: " << line;
    }
  }
  EXPECT_EQ(is_over, format == MetricsFormat::kOpenMetrics);
  return page;
}

host::Host::ConnectionEntry connection(uint16_t port, size_t paths) {
  mptcp::ConnectionInfo info;
  info.state = "ESTABLISHED";
  info.multipath = mptcp::MultipathState::kEstablished;
  info.local_token = port;
  info.local = {mptcp::testing::client_address(0), port};
  info.remote = {mptcp::testing::server_address(0), 80};
  for (size_t i = 0; i < paths; ++i) {
    mptcp::SubflowInfo s;
    s.tuple = {{mptcp::testing::client_address(i), port}, info.remote};
    s.is_fully_established = true;
    s.srtt = 10ms * (i + 1);
    s.data_sent_bytes = 100;
    info.subflows.push_back(s);
  }
  return {host::ConnectionId::kNone, info};
}

TEST(MetricsPage, IsWellFormedInBothFormats) {
  mptcp::Counters counters;
  counters.add(mptcp::Counter::kJoinSynTx, 7);
  counters.add(mptcp::Counter::kCurrEstab, 2);
  const std::map<std::string, EndedPaths::Totals> ended = {
      {"192.0.2.1", {.subflows = 3, .sent_bytes = 1000}}};
  MetricsInput input;
  input.version = "1.0 \"quoted\" \\ and\nmore";
  input.counters = &counters;
  input.ended = &ended;
  input.connections = {connection(1, 2), connection(2, 1)};
  input.connections[0].info.subflows[1].is_stalled = true;
  input.devices = {{"braid0", {.received_packets = 5}}};
  for (const MetricsFormat format : {MetricsFormat::kText, MetricsFormat::kOpenMetrics}) {
    const Page page = read(metrics_page(input, {}, format), format);
    const std::string suffix = format == MetricsFormat::kText ? "_total" : "";
    EXPECT_EQ(page.types.at("braid_MPTcpExtMPJoinSynTx" + suffix), "counter");
    EXPECT_EQ(page.types.at("braid_MPTcpExtMPCurrEstab"), "gauge");
    EXPECT_EQ(page.types.at("braid_FallbackDisabled" + suffix), "counter");
    const auto& samples = page.samples;
    EXPECT_EQ(samples.at("braid_MPTcpExtMPJoinSynTx_total"), "7");
    EXPECT_EQ(samples.at("braid_MPTcpExtMPCurrEstab"), "2");
    EXPECT_EQ(samples.at(R"(braid_connections{state="ESTABLISHED",protocol="mptcp"})"), "2");
    EXPECT_EQ(samples.at(R"(braid_connections_by_paths{paths="2"})"), "1");
    EXPECT_EQ(samples.at(R"(braid_path_subflows{local="192.0.2.1",state="up"})"), "2");
    EXPECT_EQ(samples.at(R"(braid_path_subflows{local="198.51.100.1",state="silent"})"), "1");
    EXPECT_EQ(samples.at(R"(braid_path_sent_bytes_total{local="192.0.2.1"})"), "1200");
    EXPECT_EQ(samples.at(R"(braid_path_rtt_max_seconds{local="198.51.100.1"})"), "0.02");
    EXPECT_EQ(samples.at(R"(braid_device_received_packets_total{device="braid0"})"), "5");
  }
}

TEST(MetricsPage, EveryCounterIsThereWithHelpOfItsOwn) {
  std::set<std::string_view> help;
  std::set<std::string> names;
  for (size_t i = 0; i < mptcp::kCounterCount; ++i) {
    const auto counter = static_cast<mptcp::Counter>(i);
    EXPECT_FALSE(help_of(counter).empty()) << mptcp::name_of(counter);
    EXPECT_TRUE(names.insert(metric_name_of(counter)).second) << mptcp::name_of(counter);
    help.insert(help_of(counter));
  }
  EXPECT_GT(help.size(), mptcp::kCounterCount - 6);  // "Of those, ..." may be said twice
}

size_t count_lines(const std::string& text, const std::string& of) {
  size_t count = 0;
  for (size_t at = 0; (at = text.find(of, at)) != std::string::npos; ++at) ++count;
  return count;
}

TEST(MetricsPage, ConnectionsHaveLinesOfTheirOwnOnlyWhenThatIsAskedFor) {
  MetricsInput input;
  for (uint16_t port = 1; port <= 1000; ++port) input.connections.push_back(connection(port, 1));
  const std::string page = metrics_page(input, {}, MetricsFormat::kText);
  EXPECT_THAT(page, Not(HasSubstr("token=")));
  EXPECT_LT(page.size(), 20'000u);
  const std::string more = metrics_page(input, {.listen = {}, .connections = 10}, MetricsFormat::kText);
  read(more, MetricsFormat::kText);
  EXPECT_EQ(count_lines(more, "braid_connection_sent_bytes_total{"), 10u);
}

TEST(MetricsPage, TheNumberOfAddressesIsBounded) {
  EndedPaths ended(nullptr);
  mptcp::testing::TestEnvironment environment(1, {mptcp::testing::client_address(0)});
  const auto one = mptcp::Connection::connect(
      {}, environment, {{mptcp::testing::client_address(0), 1}, {mptcp::testing::server_address(0), 80}},
      Time{1s});
  MetricsInput input;
  for (uint32_t i = 0; i < 1000; ++i) {
    Decision d{.kind = Decision::Kind::kSubflowEnded, .sent_bytes = 1};
    d.tuple.local = {wire::IpAddress::v4(0xC6120000 + i), 1};
    ended.on_decision(*one, d, Time{1s});
  }
  ended.on_decision(*one, {.kind = Decision::Kind::kSubflowUp, .sent_bytes = 1'000'000}, Time{1s});
  input.ended = &ended.by_address();
  const std::string page = metrics_page(input, {}, MetricsFormat::kText);
  EXPECT_EQ(count_lines(page, "braid_path_sent_bytes_total{"), EndedPaths::kMostAddresses + 1);
  EXPECT_THAT(page, HasSubstr("braid_path_sent_bytes_total{local=\"other\"} 936\n"));
}

TEST(MetricsFormatTest, IsWhatTheCollectorAsksFor) {
  EXPECT_EQ(format_for(""), MetricsFormat::kText);
  EXPECT_EQ(format_for("text/plain;version=0.0.4;q=0.5,*/*;q=0.1"), MetricsFormat::kText);
  EXPECT_EQ(format_for("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"),
            MetricsFormat::kOpenMetrics);
}

}  // namespace
}  // namespace braid::service
