// One thread's event loop over epoll: descriptors, timers, work posted by other threads, and a hook after
// each round, where a LiveHost sends what the round brought about.
#pragma once

#include <sys/signalfd.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/time.h"
#include "io/file_descriptor.h"

namespace braid::io {

/// CLOCK_MONOTONIC as the engine's Time.
Time read_clock();

enum class Interest : uint8_t { kNone = 0, kRead = 1, kWrite = 2, kReadWrite = 3 };

/// What epoll said. `hung_up` and `failed` come whatever the interest is.
struct Readiness {
  bool readable = false;
  bool writable = false;
  bool peer_closed = false;  // EPOLLRDHUP: the peer shut down its sending side
  bool hung_up = false;      // EPOLLHUP
  bool failed = false;       // EPOLLERR
};

/// A round: wait, read the clock once, ready descriptors (level-triggered), due timers, posted work, then the
/// round-end hook. Everything but post() and stop() belongs to the loop's thread.
class EventLoop {
 public:
  using Callback = std::function<void(Readiness)>;
  using TimerId = uint64_t;  // 0: none

  EventLoop();
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// The descriptor stays the caller's, who removes it before closing it. False: errno says why.
  bool add(int fd, Interest interest, Callback callback);
  void modify(int fd, Interest interest);
  /// Safe inside any callback, its own too; no callback for `fd` comes afterwards.
  void remove(int fd);

  /// Calls `work` once, in the first round at or after `at`.
  TimerId call_at(Time at, std::function<void()> work);
  void cancel(TimerId timer);

  /// Somebody with timers of its own: `deadline` is asked before each wait (kNever for none), and `round_end`
  /// looks at what is due. Where there are several, each has two turns in a round, so that what one brings
  /// another is not left for the next.
  struct Tenant {
    std::function<Time()> deadline;
    std::function<void(Time now)> round_end;
  };
  using TenantId = uint64_t;  // 0: none
  /// Neither of them inside a tenant's own calls.
  TenantId add_tenant(Tenant tenant);
  void remove_tenant(TenantId tenant);

  /// Any thread: runs `work` in the loop's thread, soon.
  void post(std::function<void()> work);

  /// Until stop().
  void run();
  /// One round; waits until something happens, at most until `until`.
  void run_once(Time until = kNever);
  /// Any thread, signal handlers excepted: run() returns at the end of the round.
  void stop();
  bool is_stopped() const { return is_stopped_.load(std::memory_order_relaxed); }

  /// When this round began.
  Time now() const { return now_; }
  /// After a round with input, look again without sleeping for this long: trades CPU for latency. Default: 0.
  void set_busy_poll(Duration duration) { busy_poll_ = duration; }

 private:
  struct Entry;
  void wait(Time until);
  void fire_timers();
  void run_posted();

  FileDescriptor epoll_;
  FileDescriptor wake_;
  std::vector<std::unique_ptr<Entry>> entries_;  // by descriptor
  std::vector<std::unique_ptr<Entry>> removed_;  // in this round: their callbacks may still be running
  std::multimap<Time, std::pair<TimerId, std::function<void()>>> timers_;
  TimerId last_timer_ = 0;
  uint32_t generation_ = 0;
  std::vector<std::pair<TenantId, Tenant>> tenants_;
  TenantId last_tenant_ = 0;
  std::mutex posted_mutex_;
  std::vector<std::function<void()>> posted_;
  std::atomic<bool> is_stopped_ = false;
  Time now_;
  Time last_input_;
  Duration busy_poll_{0};
};

/// Signals as events: blocks them for the thread (and those it starts later) and calls back from the loop;
/// restores the mask when destroyed. Make it before other threads.
class SignalSource {
 public:
  SignalSource(EventLoop& loop, std::initializer_list<int> signals,
               std::function<void(const signalfd_siginfo&)> callback);
  ~SignalSource();
  SignalSource(const SignalSource&) = delete;
  SignalSource& operator=(const SignalSource&) = delete;

 private:
  EventLoop& loop_;
  FileDescriptor fd_;
  sigset_t previous_mask_;
};

}  // namespace braid::io
