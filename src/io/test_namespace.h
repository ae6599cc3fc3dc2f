// Network namespaces for the live tests: named braid-PID-..., gone when the test ends.
#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>
#include <thread>

#include "io/file_descriptor.h"

namespace braid::io {

/// Why live tests cannot run; empty if they can.
inline std::string why_no_live_tests() {
  if (geteuid() != 0) return "needs root (network namespaces)";
  if (access("/dev/net/tun", R_OK | W_OK) != 0) return "needs /dev/net/tun";
  return {};
}

#define BRAID_SKIP_WITHOUT_ROOT() \
  if (const std::string why = ::braid::io::why_no_live_tests(); !why.empty()) GTEST_SKIP() << why

/// Output of a shell command.
inline std::string shell(const std::string& command) {
  FILE* pipe = popen((command + " 2>&1").c_str(), "re");
  std::string output;
  std::array<char, 4096> buffer;
  while (const size_t size = fread(buffer.data(), 1, buffer.size(), pipe)) output.append(buffer.data(), size);
  const int status = pclose(pipe);
  if (status != 0) output += fmt::format("[{}: exit {}]", command, WEXITSTATUS(status));
  return output;
}

class TestNamespace {
 public:
  explicit TestNamespace(const std::string& label) : name_(fmt::format("braid-{}-{}", getpid(), label)) {
    shell("ip netns add " + name_);
    run("ip link set lo up");
    run("sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.all.accept_dad=0");
  }
  ~TestNamespace() { shell("ip netns del " + name_); }
  TestNamespace(const TestNamespace&) = delete;
  TestNamespace& operator=(const TestNamespace&) = delete;

  const std::string& name() const { return name_; }
  std::string run(const std::string& command) const {
    return shell(fmt::format("ip netns exec {} {}", name_, command));
  }
  /// The calling thread is in this namespace from now on.
  void enter() const {
    const FileDescriptor fd(open(("/run/netns/" + name_).c_str(), O_RDONLY | O_CLOEXEC));
    ASSERT_EQ(setns(fd.get(), CLONE_NEWNET), 0);
  }
  /// Runs `work` in a thread that lives in this namespace, to its end.
  template <class Work>
  void inside(Work&& work) const {
    std::thread([&] {
      enter();
      work();
    }).join();
  }
  /// Everything that Braid might change, as text.
  std::string snapshot() const {
    return run("ip -br link") + run("ip rule") + run("ip -6 rule") + run("ip route show table all") +
           run("ip -6 route show table all") +
           run("sh -c 'cd /proc/sys/net && cat ipv4/ip_local_reserved_ports ipv4/ip_forward && "
               "grep -rs . ipv4/conf/*/forwarding ipv4/conf/*/rp_filter ipv4/conf/*/accept_local "
               "ipv6/conf/*/forwarding ipv6/conf/*/force_forwarding ipv6/conf/*/accept_ra'");
  }

 private:
  std::string name_;
};

/// A veth pair as path N between two namespaces: 192.0.2.0/24, 198.51.100.0/24, 2001:db8:N::/64.
inline void connect_by_path(const TestNamespace& a, const TestNamespace& b, int path) {
  static constexpr std::array kNetworks = {"192.0.2.", "198.51.100.", "203.0.113."};
  shell(fmt::format("ip link add path{0} netns {1} type veth peer name path{0} netns {2}", path, a.name(),
                    b.name()));
  int host = 1;
  for (const TestNamespace* side : {&a, &b}) {
    side->run(fmt::format("ip addr add {}{}/24 dev path{}", kNetworks[path], host, path));
    side->run(fmt::format("ip addr add 2001:db8:{}::{}/64 dev path{} nodad", path + 1, host, path));
    side->run(fmt::format("ip link set path{} up", path));
    ++host;
  }
}

}  // namespace braid::io
