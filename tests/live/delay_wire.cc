// A wire with delay, rate and a drop-tail queue, between two TAP devices in two network namespaces: for live
// tests and benchmarks on kernels without netem. Frames pass with their offload headers, as over veth.
//
//   delay_wire NETNS:DEVICE NETNS:DEVICE --delay-ms D [--rate-mbit R] [--queue-ms Q]
//
// Prints "ready" when both devices exist, then runs until it is ended; the devices go with it.

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <deque>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
constexpr size_t kMaxFrame = 70'000;

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error(what + ": " + std::strerror(errno));
}

// A TAP device inside a namespace ("netns:device"); this process comes back to its own.
int open_tap(const std::string& where) {
  const size_t colon = where.find(':');
  if (colon == std::string::npos) throw std::runtime_error(where + ": expected NETNS:DEVICE");
  const int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  const int target = open(("/run/netns/" + where.substr(0, colon)).c_str(), O_RDONLY | O_CLOEXEC);
  if (target < 0 || setns(target, CLONE_NEWNET) != 0) fail("entering namespace of " + where);
  const int tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (tap < 0) fail("/dev/net/tun");
  ifreq request{};
  request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  where.substr(colon + 1).copy(request.ifr_name, IFNAMSIZ - 1);
  if (ioctl(tap, TUNSETIFF, &request) != 0) fail("making " + where);
  const unsigned offload = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
  if (ioctl(tap, TUNSETOFFLOAD, offload) != 0) fail("offload of " + where);
  if (setns(home, CLONE_NEWNET) != 0) fail("leaving namespace of " + where);
  close(home);
  close(target);
  return tap;
}

struct Frame {
  Clock::time_point due;
  std::vector<std::byte> bytes;
};

// One direction.
class Pipe {
 public:
  Pipe(int from, int to, Clock::duration delay, double bits_per_second, Clock::duration queue)
      : from_(from), to_(to), delay_(delay), bits_per_second_(bits_per_second), queue_(queue) {}

  void take_in(Clock::time_point now) {
    std::array<std::byte, kMaxFrame> buffer;
    for (int budget = 64; budget > 0; --budget) {
      const ssize_t n = read(from_, buffer.data(), buffer.size());
      if (n <= 0) return;
      Clock::time_point leaves = now;
      if (bits_per_second_ > 0) {
        free_at_ = std::max(free_at_, now);
        if (free_at_ - now > queue_) continue;  // the queue is full
        const double seconds = static_cast<double>(n) * 8 / bits_per_second_;
        free_at_ += std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
        leaves = free_at_;
      }
      in_flight_.push_back({leaves + delay_, {buffer.begin(), buffer.begin() + n}});
    }
  }

  void put_out(Clock::time_point now) {
    while (!in_flight_.empty() && in_flight_.front().due <= now) {
      const auto& bytes = in_flight_.front().bytes;
      // A device that is not up yet refuses the frame: the wire drops it.
      [[maybe_unused]] const ssize_t n = write(to_, bytes.data(), bytes.size());
      in_flight_.pop_front();
    }
  }

  Clock::time_point next() const {
    return in_flight_.empty() ? Clock::time_point::max() : in_flight_.front().due;
  }

 private:
  int from_, to_;
  Clock::duration delay_;
  double bits_per_second_;
  Clock::duration queue_;
  Clock::time_point free_at_{};
  std::deque<Frame> in_flight_;
};

void carry(int left, int right, Clock::duration delay, double bits_per_second, Clock::duration queue) {
  Pipe there(left, right, delay, bits_per_second, queue), back(right, left, delay, bits_per_second, queue);
  std::array<pollfd, 2> ends{{{left, POLLIN, 0}, {right, POLLIN, 0}}};
  for (;;) {
    const auto wait = std::min(there.next(), back.next());
    timespec timeout{};
    if (wait != Clock::time_point::max()) {
      const auto left_ns = std::max<int64_t>(0, std::chrono::nanoseconds(wait - Clock::now()).count());
      timeout = {left_ns / 1'000'000'000, left_ns % 1'000'000'000};
    }
    if (ppoll(ends.data(), ends.size(), wait == Clock::time_point::max() ? nullptr : &timeout, nullptr) < 0)
      return;
    const auto now = Clock::now();
    there.take_in(now);
    back.take_in(now);
    there.put_out(now);
    back.put_out(now);
  }
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"A wire with delay between two TAP devices in two network namespaces"};
  std::string left, right;
  double delay_ms = 0, rate_mbit = 0, queue_ms = 100;
  app.add_option("left", left, "NETNS:DEVICE")->required();
  app.add_option("right", right, "NETNS:DEVICE")->required();
  app.add_option("--delay-ms", delay_ms, "one way, milliseconds")->required();
  app.add_option("--rate-mbit", rate_mbit, "each way, Mbit/s; 0: unlimited");
  app.add_option("--queue-ms", queue_ms, "the longest a frame may wait in the queue");
  CLI11_PARSE(app, argc, argv);
  const auto milliseconds = [](double ms) {
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double, std::milli>(ms));
  };
  try {
    const int a = open_tap(left), b = open_tap(right);
    fmt::print("ready\n");
    std::fflush(stdout);
    carry(a, b, milliseconds(delay_ms), rate_mbit * 1e6, milliseconds(queue_ms));
  } catch (const std::exception& error) {
    fmt::print(stderr, "delay_wire: {}\n", error.what());
    return 1;
  }
  return 0;
}
