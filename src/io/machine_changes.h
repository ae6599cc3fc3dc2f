// What Braids have changed on the machine beyond their own devices, rules and tables, written down before it
// is done, so that the last one to leave (or the next one to come, after a crash) can undo it.
#pragma once

#include <string>
#include <vector>

#include "io/instances.h"
#include "io/netlink.h"
#include "io/setup_error.h"

namespace braid::io {

/// Priorities of Braid's policy rules. Its inbound rules must stand before the rule for the machine's own
/// addresses, which the kernel has at 0, so that one is moved behind them; nothing else is.
inline constexpr uint32_t kInboundPriority = 1;
inline constexpr uint32_t kLocalPriority = 2;
inline constexpr uint32_t kOutboundPriority = 3;

/// Changes that are shared by all Braids of the namespace. All under the directory's lock.
class MachineChanges {
 public:
  MachineChanges(const InstanceDirectory& directory, Netlink& netlink);

  /// Sets a kernel parameter, if it has another value. Fine if there is no such parameter.
  Setup<void> set(const std::string& path, const std::string& value, const std::string& why);
  /// Moves the rule for local addresses behind kInboundPriority, if it is not behind it.
  Setup<void> move_local_rule(wire::Family family);
  /// Undoes everything, newest first; what somebody changed again meanwhile is left alone.
  void undo_all();

 private:
  struct Change {
    std::string path;
    std::string before;
    std::string after;
  };
  void load();
  void save() const;

  const InstanceDirectory& directory_;
  Netlink& netlink_;
  std::vector<Change> changes_;
  std::vector<wire::Family> moved_local_rules_;
};

/// Sets a parameter that goes when the device does: nothing to undo.
Setup<void> set_device_sysctl(const std::string& path, const std::string& value, const std::string& why);

}  // namespace braid::io
