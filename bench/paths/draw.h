// Random paths by seed, as text of a scenario: what a benchmark runs, `braid sim` can run again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/random.h"

namespace braid::bench {

struct PathDraw {
  double bits_per_second = 0;
  double rtt_s = 0;  // without queueing
  double queue_bdps = 0;
  double loss = 0;  // share of packets, each direction

  double bdp_bytes() const { return bits_per_second / 8 * rtt_s; }
  /// Two full packets at least: a queue without room for a packet is none.
  double queue_bytes() const;
  /// With the queue full and ten packets on their way: the time that things take on this path.
  double longest_rtt_s() const;
};

/// From `least` to `most`. Rate, round trip and queue evenly over orders of magnitude.
struct PathRange {
  double rate[2] = {0.5e6, 1e9};
  double rtt_s[2] = {0.002, 0.6};
  double queue_bdps[2] = {0.1, 10};
  double loss_max = 0.05;
};

/// Every third path loses nothing but what its queue drops; the others up to range.loss_max, evenly over
/// orders of magnitude from a hundredth of a per cent on.
PathDraw draw_path(SeededRandom& random, const PathRange& range);
double over_magnitudes(SeededRandom& random, double least, double most);

/// [links.NAME] between client and server.
std::string link_toml(const std::string& name, const PathDraw& path);
/// For people: "12.3 Mbit/s, 45 ms, queue 0.5 BDP, loss 0.1 %".
std::string describe(const PathDraw& path);

}  // namespace braid::bench
