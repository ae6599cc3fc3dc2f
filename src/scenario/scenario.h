// A scenario: who is there, what joins them, what happens, and what is to be measured. The same file runs on
// the virtual clock and in real time. docs/scenarios.md has every key.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "host/host.h"
#include "sim/link_config.h"
#include "sim/middlebox/options.h"

namespace braid::scenario {

struct HostSpec {
  std::string name;
  bool is_linux = false;  // the kernel's stack: only in real time
  host::HostConfig config;
  std::string connection_toml;  // the settings of connections as the file has them, for a daemon's own file
};

struct MiddleboxSpec {
  std::string kind;
  sim::MiddleboxOptions options;
};

struct LinkSpec {
  std::string name;
  std::array<std::string, 2> between;
  std::array<sim::LinkConfig, 2> directions;  // forward, backward
  std::vector<MiddleboxSpec> middleboxes;     // from the first end to the second
};

/// An entry of a router's table. It wins over those that are computed.
struct RouteSpec {
  std::string router;
  /// Where to: a host's address on that link; all of its addresses, without a link; without a host a prefix.
  std::string host, link;
  wire::IpAddress network;
  int prefix_bits = 0;
  std::vector<std::string> via;    // links of the router; flows spread over several
  std::optional<uint8_t> label{};  // only for packets with this DSCP
};

struct EventSpec {
  enum class Kind : uint8_t {
    kLinkDown,
    kLinkUp,
    kLinkSet,
    kHostRestart,   // from here on of a host
    kAddressAdded,  // if it is the first that happens to the address, the host begins without it
    kAddressRemoved,
    kBackup,   // the host's subflows on the link become backup
    kRegular,  // and regular ones again
    kPolicy,   // the host's connections, those that are open, change scheduler or congestion control
  };
  bool is_of_host() const { return kind >= Kind::kHostRestart; }
  Time at{};
  Kind kind = Kind::kLinkDown;
  std::string subject;                        // the link, or the host
  std::string link;                           // kAddressAdded ... kRegular: of the host
  std::string scheduler, congestion_control;  // kPolicy; empty: stays
  bool is_silent = true;
  std::array<sim::LinkConfig, 2> directions;  // kLinkSet
};

/// A size that varies: of requests, responses, pauses in nanoseconds.
struct Distribution {
  enum class Shape : uint8_t { kConstant, kExponential, kPareto };
  Shape shape = Shape::kConstant;
  double mean = 0;
  double alpha = 1.5;  // kPareto
};

struct WorkloadSpec {
  enum class Kind : uint8_t { kBulk, kBlocks, kRequests, kOnOff };
  Kind kind = Kind::kBulk;
  std::string from, to;
  Time start{};
  uint32_t connections = 1;
  std::optional<uint64_t> bytes;          // kBulk, kOnOff: nothing: until the end
  uint64_t block_bytes = 0;               // kBlocks
  Duration interval{0};                   // kBlocks
  Distribution request, response, think;  // kRequests
  std::optional<uint64_t> requests;       // kRequests: nothing: until the end
  uint64_t bits_per_second = 0;           // kOnOff, while on
  Distribution on, off;                   // kOnOff
  bool is_of_trace = false;               // kBulk: one of a list; its delay is that of its last octet
};

std::string_view to_string(WorkloadSpec::Kind kind);

/// A real program, in real time only.
struct ProgramSpec {
  std::string host;
  std::string command;  // of a shell; {NAME} stands for the address of the host NAME
  Time start{};
  bool is_background = false;  // a server: nobody waits for its end
};

struct Scenario {
  std::string name;
  Duration duration{10s};
  Duration interval{100ms};  // of the time series
  uint64_t seed = 1;
  bool is_ipv6 = false;
  bool stops_early = true;  // when every workload with an end has reached it
  std::vector<HostSpec> hosts;
  std::vector<std::string> routers;
  std::vector<LinkSpec> links;
  std::vector<RouteSpec> routes;
  std::vector<EventSpec> events;
  std::vector<WorkloadSpec> workloads;
  std::vector<ProgramSpec> programs;
};

/// One `--set key=value`; the key is a dotted path, the value TOML, or else a string.
struct Override {
  std::string key, value;
};

/// The error is ready for people: a line for each thing that is wrong, "FILE:LINE:COLUMN: ...".
tl::expected<Scenario, std::string> parse_scenario(std::string_view text, std::string_view name,
                                                   const std::vector<Override>& overrides = {});
tl::expected<Scenario, std::string> read_scenario(const std::string& path,
                                                  const std::vector<Override>& overrides = {});

}  // namespace braid::scenario
