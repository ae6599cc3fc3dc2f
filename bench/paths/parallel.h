// The same work for each of many cases, over all cores.
#pragma once

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <mutex>
#include <thread>
#include <vector>

namespace braid::bench {

/// Calls work(i) for each i below `count`, and says on standard error how far it is.
template <class Work>
void for_all(size_t count, unsigned jobs, Work&& work) {
  std::atomic<size_t> next = 0, done = 0;
  std::mutex output;
  const auto loop = [&] {
    for (size_t i = next++; i < count; i = next++) {
      work(i);
      ++done;
      if (isatty(STDERR_FILENO) == 0) continue;
      const std::lock_guard lock(output);
      fmt::print(stderr, "\r{} of {} ", done.load(), count);
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < std::min<size_t>(jobs, count); ++i) threads.emplace_back(loop);
  loop();
  for (std::thread& thread : threads) thread.join();
  if (isatty(STDERR_FILENO) != 0) fmt::print(stderr, "\r");
}

}  // namespace braid::bench
