#include "io/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>

#include "base/check.h"

namespace braid::io {

namespace {
constexpr int kEventsPerRound = 128;

uint32_t epoll_events(Interest interest) {
  const auto bits = static_cast<uint8_t>(interest);
  uint32_t events = 0;
  if ((bits & static_cast<uint8_t>(Interest::kRead)) != 0) events |= EPOLLIN | EPOLLRDHUP;
  if ((bits & static_cast<uint8_t>(Interest::kWrite)) != 0) events |= EPOLLOUT;
  return events;
}

// The generation tells an event for a descriptor that was closed in this round from one for its successor.
uint64_t cookie(int fd, uint32_t generation) {
  return uint64_t{generation} << 32 | static_cast<uint32_t>(fd);
}
}  // namespace

struct EventLoop::Entry {
  uint32_t generation;
  Interest interest;
  Callback callback;
};

Time read_clock() {
  timespec t{};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return Time(std::chrono::seconds(t.tv_sec) + std::chrono::nanoseconds(t.tv_nsec));
}

EventLoop::EventLoop()
    : epoll_(epoll_create1(EPOLL_CLOEXEC)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      now_(read_clock()) {
  BRAID_CHECK(epoll_ && wake_);
  const bool is_added = add(wake_.get(), Interest::kRead, [this](Readiness) { run_posted(); });
  BRAID_CHECK(is_added);
}

EventLoop::~EventLoop() = default;

bool EventLoop::add(int fd, Interest interest, Callback callback) {
  epoll_event event{};
  event.events = epoll_events(interest);
  event.data.u64 = cookie(fd, ++generation_);
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return false;
  if (entries_.size() <= static_cast<size_t>(fd)) entries_.resize(static_cast<size_t>(fd) + 1);
  if (entries_[fd] != nullptr) removed_.push_back(std::move(entries_[fd]));  // closed without remove()
  entries_[fd] = std::make_unique<Entry>(Entry{generation_, interest, std::move(callback)});
  return true;
}

void EventLoop::modify(int fd, Interest interest) {
  BRAID_CHECK(static_cast<size_t>(fd) < entries_.size() && entries_[fd] != nullptr);
  Entry& entry = *entries_[fd];
  if (entry.interest == interest) return;
  entry.interest = interest;
  epoll_event event{};
  event.events = epoll_events(interest);
  event.data.u64 = cookie(fd, entry.generation);
  epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void EventLoop::remove(int fd) {
  if (fd < 0 || static_cast<size_t>(fd) >= entries_.size() || entries_[fd] == nullptr) return;
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  removed_.push_back(std::move(entries_[fd]));
}

EventLoop::TimerId EventLoop::call_at(Time at, std::function<void()> work) {
  timers_.emplace(at, std::pair(++last_timer_, std::move(work)));
  return last_timer_;
}

void EventLoop::cancel(TimerId timer) {
  const auto found = std::find_if(timers_.begin(), timers_.end(),
                                  [timer](const auto& entry) { return entry.second.first == timer; });
  if (found != timers_.end()) timers_.erase(found);
}

EventLoop::TenantId EventLoop::add_tenant(Tenant tenant) {
  tenants_.emplace_back(++last_tenant_, std::move(tenant));
  return last_tenant_;
}

void EventLoop::remove_tenant(TenantId tenant) {
  std::erase_if(tenants_, [tenant](const auto& entry) { return entry.first == tenant; });
}

void EventLoop::post(std::function<void()> work) {
  {
    const std::lock_guard lock(posted_mutex_);
    posted_.push_back(std::move(work));
  }
  eventfd_write(wake_.get(), 1);
}

void EventLoop::run() {
  is_stopped_ = false;
  while (!is_stopped()) run_once();
}

void EventLoop::stop() {
  is_stopped_ = true;
  eventfd_write(wake_.get(), 1);
}

void EventLoop::run_once(Time until) {
  wait(until);
  fire_timers();
  const int turns = tenants_.size() > 1 ? 2 : 1;
  for (int turn = 0; turn < turns; ++turn) {
    for (const auto& [id, tenant] : tenants_) tenant.round_end(now_);
  }
  removed_.clear();
}

void EventLoop::wait(Time until) {
  for (const auto& [id, tenant] : tenants_) until = earlier(until, tenant.deadline());
  if (!timers_.empty()) until = earlier(until, timers_.begin()->first);
  timespec timeout{};
  if (until != kNever) {
    const Time now = read_clock();
    const Duration left = until > now ? until - now : Duration{0};
    timeout.tv_sec = std::chrono::duration_cast<std::chrono::seconds>(left).count();
    timeout.tv_nsec = (left % std::chrono::seconds(1)).count();
  }
  const bool is_busy = busy_poll_ > Duration{0} && now_ - last_input_ < busy_poll_;
  if (is_busy) timeout = {};
  std::array<epoll_event, kEventsPerRound> events;
  const timespec* limit = until == kNever && !is_busy ? nullptr : &timeout;
  const int count = epoll_pwait2(epoll_.get(), events.data(), kEventsPerRound, limit, nullptr);
  BRAID_CHECK(count >= 0 || errno == EINTR);
  now_ = read_clock();
  if (count > 0) last_input_ = now_;
  for (int i = 0; i < count; ++i) {
    const auto fd = static_cast<uint32_t>(events[i].data.u64);
    if (fd >= entries_.size() || entries_[fd] == nullptr) continue;
    Entry& entry = *entries_[fd];
    if (entry.generation != events[i].data.u64 >> 32) continue;
    const uint32_t bits = events[i].events;
    entry.callback({.readable = (bits & EPOLLIN) != 0,
                    .writable = (bits & EPOLLOUT) != 0,
                    .peer_closed = (bits & EPOLLRDHUP) != 0,
                    .hung_up = (bits & EPOLLHUP) != 0,
                    .failed = (bits & EPOLLERR) != 0});
  }
}

void EventLoop::fire_timers() {
  // Timers that are set by these have a later turn, even if they are due already.
  const TimerId last = last_timer_;
  for (auto it = timers_.begin(); it != timers_.end() && it->first <= now_;) {
    if (it->second.first > last) {
      ++it;
      continue;
    }
    const auto work = std::move(it->second.second);
    timers_.erase(it);
    work();
    it = timers_.begin();
  }
}

void EventLoop::run_posted() {
  eventfd_t count;
  eventfd_read(wake_.get(), &count);
  std::vector<std::function<void()>> work;
  {
    const std::lock_guard lock(posted_mutex_);
    work.swap(posted_);
  }
  for (const auto& task : work) task();
}

SignalSource::SignalSource(EventLoop& loop, std::initializer_list<int> signals,
                           std::function<void(const signalfd_siginfo&)> callback)
    : loop_(loop) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  pthread_sigmask(SIG_BLOCK, &set, &previous_mask_);
  fd_ = FileDescriptor(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  BRAID_CHECK(fd_);
  loop_.add(fd_.get(), Interest::kRead, [fd = fd_.get(), callback = std::move(callback)](Readiness) {
    signalfd_siginfo info;
    while (read(fd, &info, sizeof(info)) == sizeof(info)) callback(info);
  });
}

SignalSource::~SignalSource() {
  loop_.remove(fd_.get());
  pthread_sigmask(SIG_SETMASK, &previous_mask_, nullptr);
}

}  // namespace braid::io
