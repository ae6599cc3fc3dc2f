// Plug-ins: schedulers and congestion controls in a shared object of their own, which `--plugin FILE`, or the
// key `plugins` of a daemon's configuration, loads before anything else happens. docs/extending.md is the
// tutorial.
//
//   #include <braid/plugin.h>
//   BRAID_PLUGIN(registry) {
//     registry.add_scheduler("mine", [](const auto&) { return std::make_unique<Mine>(); });
//   }
//
// A plug-in is C++, and is built with the compiler and the headers of the Braid that loads it. Both sides
// compare kPluginAbi, in which the layout of what they exchange is counted, so a plug-in of another version
// is refused with a word about it. It is never unloaded.
#pragma once

#include <cstdint>
#include <string_view>

#include "mptcp/scheduler/preference.h"
#include "mptcp/scheduler/scheduler.h"
#include "tcp/congestion_control.h"
#include "tcp/reno.h"

namespace braid {

/// Raised when the meaning of an interface changes and its layout does not.
inline constexpr uint32_t kPluginVersion = 1;

/// The version above, and a number that changes with the size of what passes between Braid and a plug-in.
inline constexpr uint64_t kPluginAbi = [] {
  uint64_t layout = 0xcbf29ce484222325;
  for (const uint64_t size :
       {sizeof(mptcp::SubflowView), sizeof(mptcp::ScheduleInput), sizeof(mptcp::SchedulerOptions),
        sizeof(mptcp::SchedulerFactory), sizeof(tcp::AckSample), sizeof(tcp::LossSample), sizeof(tcp::Reno),
        sizeof(tcp::CongestionControlFactory)})
    layout = (layout ^ size) * 0x100000001b3;
  return uint64_t{kPluginVersion} << 32 | (layout & 0xffffffff);
}();

/// What a plug-in adds itself to.
class PluginRegistry {
 public:
  virtual ~PluginRegistry() = default;
  /// A name that is taken already makes the whole plug-in fail to load, with a message that says so.
  virtual void add_scheduler(std::string_view name, mptcp::SchedulerFactory factory) = 0;
  /// Uncoupled: one for each subflow.
  virtual void add_congestion_control(std::string_view name, tcp::CongestionControlFactory factory) = 0;
};

}  // namespace braid

/// Once in a plug-in, followed by a block that adds what it has to `registry`.
// NOLINTBEGIN(bugprone-macro-parentheses): a declaration
#define BRAID_PLUGIN(registry)                                                    \
  extern "C" __attribute__((visibility("default"))) uint64_t braid_plugin_abi() { \
    return braid::kPluginAbi;                                                     \
  }                                                                               \
  extern "C" __attribute__((visibility("default"))) void braid_plugin_load(braid::PluginRegistry& registry)
// NOLINTEND(bugprone-macro-parentheses)
