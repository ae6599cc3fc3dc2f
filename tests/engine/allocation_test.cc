// Steady-state transfer allocates nothing per segment. This program replaces malloc's front door to count.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "support/topology.h"

namespace {
uint64_t allocations = 0;
}

extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* old, size_t size);

void* malloc(size_t size) {
  ++allocations;
  return __libc_malloc(size);
}
void* calloc(size_t count, size_t size) {
  ++allocations;
  return __libc_calloc(count, size);
}
void* realloc(void* old, size_t size) {
  ++allocations;
  return __libc_realloc(old, size);
}
}

namespace braid::test {
namespace {

uint64_t allocations_in_steady_state(const TopologyOptions& options, uint64_t& packets) {
  Topology topology(options);
  Server server(*topology.server, topology.server_endpoint(),
                {.send_seed = 2, .receive_seed = 1, .is_endless = true});
  auto client = topology.connect({.send_bytes = 1});
  topology.network.run_for(30s);  // windows, rings and pools have reached their size
  const uint64_t packets_before = topology.network.packets_sent(), before = allocations;
  topology.network.run_for(20s);
  packets = topology.network.packets_sent() - packets_before;
  EXPECT_TRUE(client->is_intact());
  return allocations - before;
}

TopologyOptions on_paths(size_t paths) {
  TopologyOptions options;
  options.paths.assign(paths, broadband());
  return options;
}

TEST(Allocation, TheCounterCounts) {
  const uint64_t before = allocations;
  void* volatile block = std::malloc(10);
  std::free(block);
  auto* volatile array = new char[1000];
  delete[] array;
  const uint64_t made = allocations - before;
  EXPECT_GE(made, 2u);
}

TEST(Allocation, SteadyTransferAllocatesNothingPerSegment) {
  for (const size_t paths : {1, 2}) {
    uint64_t packets = 0;
    const uint64_t made = allocations_in_steady_state(on_paths(paths), packets);
    EXPECT_GT(packets, 150'000u * paths);
    // What there is comes with the rare events: a burst of losses that opens more holes than ever before.
    EXPECT_LT(made, packets / 500) << made << " allocations for " << packets << " packets";
  }
}

TEST(Allocation, NeitherDoLossAndReordering) {
  TopologyOptions options = on_paths(2);
  for (LinkConfig& link : options.paths) link.loss = 0.0005, link.reordering = 0.001;
  uint64_t packets = 0;
  const uint64_t made = allocations_in_steady_state(options, packets);
  EXPECT_LT(made, packets / 500) << made << " allocations for " << packets << " packets";
}

}  // namespace
}  // namespace braid::test
