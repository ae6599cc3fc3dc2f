#include "tcp/congestion_control.h"

#include <algorithm>

#include "tcp/cubic.h"
#include "tcp/reno.h"

namespace braid::tcp {

namespace {
template <class Algorithm>
std::unique_ptr<CongestionControl> make(uint32_t mss_bytes) {
  return std::make_unique<Algorithm>(mss_bytes);
}

struct Entry {
  std::string name;
  CongestionControlFactory make;
};

/// The built-in ones, a line each, and behind them those of plug-ins.
std::vector<Entry>& registry() {
  static std::vector<Entry> entries = {
      {"cubic", make<Cubic>},
      {"reno", make<Reno>},
  };
  return entries;
}
}  // namespace

std::unique_ptr<CongestionControl> make_congestion_control(std::string_view name, uint32_t mss_bytes) {
  const auto found = std::ranges::find(registry(), name, &Entry::name);
  return found == registry().end() ? nullptr : found->make(mss_bytes);
}

std::vector<std::string> congestion_control_names() {
  std::vector<std::string> names;
  for (const Entry& entry : registry()) names.push_back(entry.name);
  return names;
}

bool register_congestion_control(std::string_view name, CongestionControlFactory factory) {
  if (name.empty() || std::ranges::count(registry(), name, &Entry::name) > 0) return false;
  registry().push_back({std::string(name), std::move(factory)});
  return true;
}

}  // namespace braid::tcp
