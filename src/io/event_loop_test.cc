#include "io/event_loop.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <thread>

namespace braid::io {
namespace {

struct SocketPair {
  SocketPair() {
    std::array<int, 2> ends;
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()), 0);
    a = FileDescriptor(ends[0]);
    b = FileDescriptor(ends[1]);
  }
  FileDescriptor a, b;
};

TEST(EventLoop, CallsBackWhenReadable) {
  EventLoop loop;
  const SocketPair pair;
  int calls = 0;
  loop.add(pair.a.get(), Interest::kRead, [&](Readiness ready) {
    EXPECT_TRUE(ready.readable);
    ++calls;
    char byte;
    EXPECT_EQ(read(pair.a.get(), &byte, 1), 1);
  });
  loop.run_once(read_clock());
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(write(pair.b.get(), "x", 1), 1);
  loop.run_once();
  EXPECT_EQ(calls, 1);
}

TEST(EventLoop, ACallbackMayRemoveItselfAndOthersThatAreReady) {
  EventLoop loop;
  const SocketPair one, two;
  int calls = 0;
  const auto remove_both = [&](Readiness) {
    ++calls;
    loop.remove(one.a.get());
    loop.remove(two.a.get());
  };
  loop.add(one.a.get(), Interest::kWrite, remove_both);
  loop.add(two.a.get(), Interest::kWrite, remove_both);
  loop.run_once();
  loop.run_once(read_clock());
  EXPECT_EQ(calls, 1);
}

TEST(EventLoop, AnEventIsNotForTheSuccessorOfAClosedDescriptor) {
  EventLoop loop;
  SocketPair one, two;
  int for_successor = 0;
  const int victim = two.a.get();
  loop.add(one.a.get(), Interest::kWrite, [&](Readiness) {
    loop.remove(one.a.get());
    loop.remove(victim);
    // A new socket gets the same number, and nothing to read.
    two = SocketPair();
    ASSERT_EQ(dup2(two.a.get(), victim), victim);
    loop.add(victim, Interest::kRead, [&](Readiness) { ++for_successor; });
  });
  loop.add(victim, Interest::kWrite, [](Readiness) {});
  loop.run_once();
  loop.run_once(read_clock());
  EXPECT_EQ(for_successor, 0);
}

TEST(EventLoop, TimersRunInOrderOfTheirTimesOnceEach) {
  EventLoop loop;
  std::string order;
  const Time now = read_clock();
  loop.call_at(now + 2ms, [&] { order += "b"; });
  loop.call_at(now + 1ms, [&] { order += "a"; });
  const auto cancelled = loop.call_at(now + 1ms, [&] { order += "x"; });
  loop.call_at(now + 3ms, [&] { loop.stop(); });
  loop.cancel(cancelled);
  loop.run();
  EXPECT_EQ(order, "ab");
}

TEST(EventLoop, ATimerThatIsSetAgainAndAgainStarvesNobody) {
  EventLoop loop;
  int rounds = 0;
  std::function<void()> again = [&] { loop.call_at(loop.now(), again); };
  again();
  loop.add_tenant({.deadline = [] { return kNever; }, .round_end = [&](Time) { ++rounds; }});
  loop.run_once(read_clock());
  loop.run_once(read_clock());
  EXPECT_EQ(rounds, 2);
}

TEST(EventLoop, WakesForItsCallersDeadline) {
  EventLoop loop;
  const Time deadline = read_clock() + 1ms;
  Time woken;
  loop.add_tenant({.deadline = [&] { return deadline; }, .round_end = [&](Time now) { woken = now; }});
  loop.run_once();
  EXPECT_GE(woken, deadline);
}

TEST(EventLoop, WhatOneTenantBringsAnotherIsDoneInTheSameRound) {
  EventLoop loop;
  bool has_work = false, is_done = false;
  const auto first = loop.add_tenant(
      {.deadline = [] { return kNever; }, .round_end = [&](Time) { is_done = is_done || has_work; }});
  loop.add_tenant({.deadline = [] { return read_clock(); }, .round_end = [&](Time) { has_work = true; }});
  loop.run_once();
  EXPECT_TRUE(is_done);
  is_done = false;
  loop.remove_tenant(first);
  loop.run_once();
  EXPECT_FALSE(is_done);
}

TEST(EventLoop, OtherThreadsPostWork) {
  EventLoop loop;
  std::thread::id where;
  std::thread other([&] {
    loop.post([&] {
      where = std::this_thread::get_id();
      loop.stop();
    });
  });
  loop.run();
  other.join();
  EXPECT_EQ(where, std::this_thread::get_id());
}

TEST(EventLoop, SignalsAreEvents) {
  EventLoop loop;
  uint32_t seen = 0;
  {
    const SignalSource source(loop, {SIGUSR1}, [&](const signalfd_siginfo& info) { seen = info.ssi_signo; });
    raise(SIGUSR1);
    loop.run_once();
  }
  EXPECT_EQ(seen, static_cast<uint32_t>(SIGUSR1));
}

}  // namespace
}  // namespace braid::io
