#include "paths/draw.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace braid::bench {

namespace {
constexpr double kPacketBytes = 1514;
constexpr double kLeastLoss = 1e-4;
}  // namespace

double PathDraw::queue_bytes() const { return std::max(queue_bdps * bdp_bytes(), 2 * kPacketBytes); }

double PathDraw::longest_rtt_s() const {
  return rtt_s + (queue_bytes() + 10 * kPacketBytes) * 8 / bits_per_second;
}

double over_magnitudes(SeededRandom& random, double least, double most) {
  return least * std::pow(most / least, random.unit());
}

PathDraw draw_path(SeededRandom& random, const PathRange& range) {
  PathDraw path;
  path.bits_per_second = std::round(over_magnitudes(random, range.rate[0], range.rate[1]));
  path.rtt_s = over_magnitudes(random, range.rtt_s[0], range.rtt_s[1]);
  path.queue_bdps = over_magnitudes(random, range.queue_bdps[0], range.queue_bdps[1]);
  const bool loses = random.below(3) != 0;
  const double loss = over_magnitudes(random, kLeastLoss, range.loss_max);
  path.loss = loses ? loss : 0;
  return path;
}

std::string link_toml(const std::string& name, const PathDraw& path) {
  return fmt::format(
      "[links.{}]\nbetween = [\"client\", \"server\"]\nrate = {:.0f}\ndelay = {:.9f}\nqueue = {:.0f}\nloss = "
      "{:.6f}\n",
      name, path.bits_per_second, path.rtt_s / 2, path.queue_bytes(), path.loss);
}

std::string describe(const PathDraw& path) {
  return fmt::format("{:.3g} Mbit/s, {:.3g} ms, queue {:.2g} BDP, loss {:.2g} %", path.bits_per_second / 1e6,
                     path.rtt_s * 1e3, path.queue_bdps, path.loss * 100);
}

}  // namespace braid::bench
