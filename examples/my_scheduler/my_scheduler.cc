// A scheduler of one's own: "emptiest". Data go to the path whose window is emptiest, in proportion; so all
// paths fill evenly, whatever their size. docs/extending.md walks through it.
#include <braid/plugin.h>

#include <algorithm>
#include <numeric>
#include <tuple>

namespace {

using namespace braid::mptcp;

/// How full the window is, from 0 to 1.
double load(const SubflowView& s) {
  const double window = static_cast<double>(std::max<uint64_t>(s.cwnd_bytes, 1));
  return static_cast<double>(s.in_flight_bytes + s.unsent_bytes) / window;
}

class Emptiest final : public Scheduler {
 public:
  std::string_view name() const override { return "emptiest"; }

  // Backups and silent paths come last, as with the built-in schedulers.
  void rank(std::span<const SubflowView> subflows, std::span<uint8_t> order) override {
    std::iota(order.begin(), order.end(), uint8_t{0});
    std::sort(order.begin(), order.end(), [&](uint8_t a, uint8_t b) {
      const auto key = [&](uint8_t i) {
        return std::tuple(preference_of(subflows[i]), load(subflows[i]), subflows[i].index);
      };
      return key(a) < key(b);
    });
  }

  // A few segments at a time: then the next may be emptier.
  uint64_t grant(const ScheduleInput& input) override {
    if (!is_preferred(input)) return 0;
    return std::min<uint64_t>(grant_size(input), 4 * uint64_t{input.asking->mss});
  }
};

}  // namespace

BRAID_PLUGIN(registry) {
  registry.add_scheduler("emptiest", [](const SchedulerOptions&) { return std::make_unique<Emptiest>(); });
}
