// Chance in the shapes that the plans of a swarm need.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "base/random.h"

namespace braid::scenario {

class Dice {
 public:
  explicit Dice(uint64_t seed) : random_(seed) {}
  bool one_in(uint64_t n) { return random_.below(n) == 0; }
  uint64_t between(uint64_t least, uint64_t most) { return least + random_.below(most - least + 1); }
  /// Evenly over orders of magnitude.
  double over_magnitudes(double least, double most) { return least * std::pow(most / least, random_.unit()); }
  double unit() { return random_.unit(); }
  template <class T>
  const T& pick(const std::vector<T>& from) {
    return from[random_.below(from.size())];
  }

 private:
  SeededRandom random_;
};

}  // namespace braid::scenario
