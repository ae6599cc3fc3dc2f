#include <fmt/format.h>

#include <algorithm>

#include "scenario/link_reader.h"
#include "scenario/topology/builder.h"

namespace braid::scenario {

namespace {

/// Rates in bits per second; queues by the time that they take at that rate.
struct Preset {
  const char* name;
  uint64_t down, up;
  Duration delay;
  Duration queue;
};
// WiFi and 3G as in the paper of NSDI 2012, 4.2. LTE: medians of Huang et al., MobiSys 2012.
constexpr Preset kWifi = {"wifi", 8'000'000, 8'000'000, 10ms, 80ms};
constexpr std::array<Preset, 2> kCellular = {
    {{"3g", 2'000'000, 2'000'000, 75ms, 2s}, {"lte", 13'000'000, 6'000'000, 35ms, 500ms}}};

LinkDirections behaviour_of(const Preset& preset) {
  LinkDirections directions;
  directions[0].bits_per_second = preset.down;
  directions[1].bits_per_second = preset.up;
  for (sim::LinkConfig& direction : directions) {
    direction.delay = preset.delay;
    const double seconds = std::chrono::duration<double>(preset.queue).count();
    direction.queue.limit_bytes =
        static_cast<uint64_t>(static_cast<double>(direction.bits_per_second) / 8 * seconds);
  }
  return directions;
}

/// Out of range: for `fading` the rate falls and the losses grow; then the phone sees that the network is
/// gone. `returns`: it is there again, as it was.
void walk_out(Builder& build, const LinkDirections& wifi, Time leaves, Duration fading,
              std::optional<Time> returns) {
  constexpr int kSteps = 5;
  EventSpec event;
  event.subject = "wifi";
  event.kind = EventSpec::Kind::kLinkSet;
  for (int step = 1; step <= kSteps && fading > Duration(0); ++step) {
    event.at = std::max(Time{}, leaves - fading + fading * (step - 1) / kSteps);
    event.directions = wifi;
    for (sim::LinkConfig& direction : event.directions) {
      direction.bits_per_second >>= step;
      direction.loss = std::max(direction.loss, 0.02 * step);
    }
    build.event(event);
  }
  event.at = leaves;
  event.kind = EventSpec::Kind::kLinkDown;
  event.is_silent = false;
  build.event(event);
  if (!returns) return;
  event.at = *returns;
  event.directions = wifi;
  event.kind = EventSpec::Kind::kLinkSet;
  build.event(event);
  event.kind = EventSpec::Kind::kLinkUp;
  build.event(event);
}

}  // namespace

/// A phone with WiFi and a cellular network, and a server with one address behind the internet.
void make_multi_homed_phone(config::TomlTable& table, Builder& build) {
  std::string cellular_kind = "lte";
  table.read_choice("cellular_kind", cellular_kind, {"3g", "lte"});
  const auto preset = std::ranges::find(kCellular, std::string_view(cellular_kind), &Preset::name);
  LinkDirections wifi = behaviour_of(kWifi), cellular = behaviour_of(*preset);
  build.read_behaviour(table, "wifi", wifi);
  build.read_behaviour(table, "cellular", cellular);

  const std::string &phone = build.host("phone"), &server = build.host("server");
  const std::string& internet = build.router("internet");
  build.link(internet, phone, "wifi", wifi);
  build.link(internet, phone, "cellular", cellular);
  build.link(server, internet, "server");

  Duration leaves{0}, returns{0}, fading = 3s;
  table.read_duration("leaves_wifi", leaves);
  table.read_duration("returns", returns);
  table.read_duration("fading", fading);
  if (!table.has("leaves_wifi")) {
    if (table.has("returns")) table.complain("returns", "needs leaves_wifi: when the phone goes");
    return;
  }
  if (table.has("returns") && returns <= leaves) table.complain("returns", "must be after leaves_wifi");
  walk_out(build, wifi, Time(leaves), fading,
           table.has("returns") ? std::optional(Time(returns)) : std::nullopt);
}

}  // namespace braid::scenario
