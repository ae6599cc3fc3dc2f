// Steady transfer allocates nothing: not per segment, not at all.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "mptcp/coupled/coupled.h"
#include "mptcp/scheduler/scheduler.h"
#include "mptcp/testing/pair.h"

namespace {

uint64_t allocations = 0;

void* counted(std::size_t size) {
  if (braid::mptcp::testing::is_engine_running) ++allocations;
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) std::abort();
  return memory;
}

}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace braid::mptcp {
namespace {

using testing::Pair;
using testing::PathOptions;

TEST(Allocation, NoneInSteadyTransfer) {
  for (const size_t paths : {1, 2}) {
    for (const bool has_checksum : {false, true}) {
      const PathOptions path{.delay = 10ms, .rate_bytes_per_second = 1'000'000, .queue_bytes = 50'000};
      Pair pair(1, std::vector<PathOptions>(paths, path));
      pair.client.config.require_checksum = has_checksum;
      // Buffers that have grown are what a long transfer has.
      for (auto* side : {&pair.client, &pair.server}) {
        side->config.initial_receive_buffer_bytes = side->config.initial_send_buffer_bytes = 2'000'000;
        side->config.autotune = false;
      }
      pair.add_client_endpoints();
      pair.client.to_send = pair.server.to_send = 200'000'000;
      pair.connect();
      pair.run_for(10s);
      const uint64_t before = allocations, packets = pair.network.paths[0].packets[0];
      pair.run_for(3s);
      EXPECT_GT(pair.network.paths[0].packets[0] - packets, 1'500u);
      EXPECT_EQ(allocations - before, 0u) << paths << " paths, checksum " << has_checksum;
    }
  }
}

TEST(Allocation, NoneWithAnyPolicy) {
  std::vector<std::pair<std::string, std::string>> policies;
  for (const std::string& name : scheduler_names()) policies.emplace_back(name, "cubic");
  for (const std::string& name : all_congestion_control_names()) policies.emplace_back("lowest-rtt", name);
  for (const auto& [scheduler, congestion_control] : policies) {
    const PathOptions path{.delay = 10ms, .rate_bytes_per_second = 1'000'000, .queue_bytes = 50'000};
    Pair pair(1, {path, path});
    for (auto* side : {&pair.client, &pair.server}) {
      side->config.scheduler = scheduler;
      side->config.congestion_control = congestion_control;
      side->config.initial_receive_buffer_bytes = side->config.initial_send_buffer_bytes = 2'000'000;
      side->config.autotune = false;
    }
    pair.add_client_endpoints();
    pair.client.to_send = 200'000'000;
    pair.connect();
    pair.run_for(10s);
    const uint64_t before = allocations, packets = pair.network.paths[0].packets[0];
    pair.run_for(1s);
    EXPECT_GT(pair.network.paths[0].packets[0] - packets, 300u) << scheduler << ", " << congestion_control;
    EXPECT_EQ(allocations - before, 0u) << scheduler << ", " << congestion_control;
  }
}

}  // namespace
}  // namespace braid::mptcp
