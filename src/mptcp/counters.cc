#include "mptcp/counters.h"

namespace braid::mptcp {

std::string_view name_of(Counter counter) {
  static constexpr std::string_view kNames[] = {
#define X(id, name) name,
      BRAID_COUNTERS(X)
#undef X
  };
  return kNames[static_cast<size_t>(counter)];
}

}  // namespace braid::mptcp
