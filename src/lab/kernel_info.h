// What Linux says of a connection of its own.
#pragma once

#include <string>
#include <vector>

#include "scenario/results.h"

namespace braid::lab {

struct KernelInfo {
  std::string multipath;  // in Braid's words: "established", "fallen back", "off"
  std::vector<scenario::SubflowResult> subflows;
  std::vector<uint64_t> cwnd_bytes;  // of the subflows
  uint64_t memory_bytes = 0;         // of its queues
};

KernelInfo kernel_info_of(int socket, bool is_mptcp);

}  // namespace braid::lab
