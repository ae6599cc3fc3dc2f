// A congestion control of one's own: "gentle". It falls by an eighth instead of a half, and so that it takes
// no more than Reno does, it grows as slowly as that allows. docs/extending.md walks through it.
#include <braid/plugin.h>

#include <algorithm>

namespace {

using namespace braid::tcp;

// A window that falls to b times what it was and grows by a segments a round trip is on average that of Reno
// when a = 3 (1 - b) / (1 + b) (RFC 9438, 4.3 has the same equation).
constexpr double kFall = 0.875;
constexpr double kGrowth = 3 * (1 - kFall) / (1 + kFall);

class Gentle final : public Reno {
 public:
  using Reno::Reno;
  std::string_view name() const override { return "gentle"; }

 protected:
  double increase_bytes(const AckSample& sample, uint64_t acked_bytes) override {
    return kGrowth * Reno::increase_bytes(sample, acked_bytes);
  }
  uint64_t reduced_window_bytes(const LossSample& sample) const override {
    const auto used = static_cast<double>(window_in_use_bytes(sample, cwnd_bytes(), mss_bytes()));
    return std::max(static_cast<uint64_t>(used * kFall), 2 * uint64_t{mss_bytes()});
  }
};

}  // namespace

BRAID_PLUGIN(registry) {
  registry.add_congestion_control("gentle",
                                  [](uint32_t mss_bytes) { return std::make_unique<Gentle>(mss_bytes); });
}
