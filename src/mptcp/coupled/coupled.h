// Coupled congestion control: algorithms whose window on one subflow depends on the others'.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tcp/congestion_control.h"

namespace braid::mptcp {

/// What the subflows of one connection share. Owned by the connection, outlives the controllers it made.
class CoupledGroup {
 public:
  virtual ~CoupledGroup() = default;
  virtual std::unique_ptr<tcp::CongestionControl> make_member(uint32_t mss_bytes) = 0;
};

/// "lia", "olia", "balia", "wvegas"; nothing for a name that is not a coupled algorithm's.
std::unique_ptr<CoupledGroup> make_coupled_group(std::string_view name);
std::vector<std::string> coupled_names();
/// Those, and the uncoupled ones: what ConnectionConfig::congestion_control may be.
std::vector<std::string> all_congestion_control_names();

}  // namespace braid::mptcp
