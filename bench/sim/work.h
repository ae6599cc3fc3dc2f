// The work that both simulators are given: one place for what must be the same.
#pragma once

#include <sys/resource.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

namespace bench {

struct LinkSpec {
  uint64_t bits_per_second;
  uint64_t delay_us;
  uint32_t queue_packets;  // drop-tail, in each direction
};

// (a) client - router - server. The queue at the second link is a round trip's worth.
constexpr LinkSpec kAccess = {10'000'000'000, 10, 1000};
constexpr LinkSpec kBottleneck = {1'000'000'000, 5000, 850};
// (b) every link of the tree; as in Raiciu et al., SIGCOMM 2011, but for the delay.
constexpr LinkSpec kFabric = {100'000'000, 20, 100};

// Octets: per connection, and of (b) per TCP flow where one Multipath TCP connection is several of them.
constexpr uint64_t kBufferBytes = 8u << 20;
constexpr uint64_t kMinRtoMs = 200, kDelayedAckMs = 40;
constexpr uint32_t kInitialWindowSegments = 10;

struct Options {
  std::string what = "bottleneck";  // or "fat-tree"
  uint32_t k = 8;
  uint32_t subflows = 8;
  double seconds = 1;  // of virtual time
  uint64_t buffer_bytes = kBufferBytes;
};

inline Options read_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string key = argv[i];
    if (key == "--case") options.what = argv[i + 1];
    if (key == "--k") options.k = static_cast<uint32_t>(std::atoi(argv[i + 1]));
    if (key == "--subflows") options.subflows = static_cast<uint32_t>(std::atoi(argv[i + 1]));
    if (key == "--buffer") options.buffer_bytes = static_cast<uint64_t>(std::atoll(argv[i + 1]));
    if (key == "--seconds") options.seconds = std::atof(argv[i + 1]);
  }
  return options;
}

/// Who sends to whom: everybody to somebody else, everybody receives from one (Sattolo's algorithm: one
/// cycle, so that nobody sends to itself).
inline std::vector<uint32_t> permutation(uint32_t hosts) {
  std::vector<uint32_t> to(hosts);
  for (uint32_t i = 0; i < hosts; ++i) to[i] = i;
  uint64_t state = 1;
  for (uint32_t i = hosts - 1; i > 0; --i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    std::swap(to[i], to[(state >> 33) % i]);
  }
  return to;
}

/// Resident memory at most, in KB: of this program. (ru_maxrss begins with that of whoever started it.)
inline long peak_kb() {
  long peak = 0;
  if (std::FILE* status = std::fopen("/proc/self/status", "r")) {
    char line[256];
    while (std::fgets(line, sizeof(line), status) != nullptr) std::sscanf(line, "VmHWM: %ld", &peak);
    std::fclose(status);
  }
  return peak;
}

/// One line of JSON for sim.py, with what the process has used from its start.
inline void report(uint64_t packet_hops, uint64_t delivered_bytes, uint64_t connections) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  std::printf("{\"hops\": %llu, \"bytes\": %llu, \"connections\": %llu, \"cpu_s\": %.6f, \"peak_kb\": %ld}\n",
              static_cast<unsigned long long>(packet_hops), static_cast<unsigned long long>(delivered_bytes),
              static_cast<unsigned long long>(connections), seconds(usage.ru_utime) + seconds(usage.ru_stime),
              peak_kb());
}

}  // namespace bench
