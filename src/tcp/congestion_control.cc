#include "tcp/congestion_control.h"

#include "tcp/cubic.h"
#include "tcp/reno.h"

namespace braid::tcp {

namespace {
template <class Algorithm>
std::unique_ptr<CongestionControl> make(uint32_t mss_bytes) {
  return std::make_unique<Algorithm>(mss_bytes);
}

struct Entry {
  std::string_view name;
  std::unique_ptr<CongestionControl> (*make)(uint32_t mss_bytes);
};
constexpr Entry kAlgorithms[] = {
    {"cubic", make<Cubic>},
    {"reno", make<Reno>},
};
}  // namespace

std::unique_ptr<CongestionControl> make_congestion_control(std::string_view name, uint32_t mss_bytes) {
  for (const Entry& entry : kAlgorithms) {
    if (entry.name == name) return entry.make(mss_bytes);
  }
  return nullptr;
}

std::vector<std::string> congestion_control_names() {
  std::vector<std::string> names;
  for (const Entry& entry : kAlgorithms) names.emplace_back(entry.name);
  return names;
}

}  // namespace braid::tcp
