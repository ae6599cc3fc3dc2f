#include "lab/namespaces.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <thread>
#include <utility>

#include "base/check.h"
#include "lab/command.h"

namespace braid::lab {

namespace {

/// Names of namespaces are names of files.
std::string label_of(const std::string& host, size_t position) {
  const bool is_plain = !host.empty() && host.size() <= 32 && std::ranges::all_of(host, [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
  });
  return is_plain ? host : fmt::format("host{}", position);
}

void end_processes(const std::string& name, int signal) {
  const auto pids = run_command({"ip", "netns", "pids", name});
  if (!pids) return;
  std::istringstream lines(*pids);
  for (pid_t pid; lines >> pid;) kill(pid, signal);
}

/// Daemons get the time to undo what they did, and to remove their files.
bool wait_for_end(const std::vector<std::string>& names) {
  for (int i = 0; i < 100; ++i) {
    const bool is_empty = std::ranges::all_of(names, [](const std::string& name) {
      return run_command({"ip", "netns", "pids", name}).value_or("").empty();
    });
    if (is_empty) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return false;
}

void remove(const std::vector<std::string>& names) {
  for (const std::string& name : names) end_processes(name, SIGTERM);
  if (!wait_for_end(names)) {
    for (const std::string& name : names) end_processes(name, SIGKILL);
    wait_for_end(names);
  }
  for (const std::string& name : names) (void)run_command({"ip", "netns", "del", name});
}

[[noreturn]] void keep(const std::vector<std::string>& names, const std::string& directory, int lifeline) {
  setsid();
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT}) ::signal(signal, SIG_IGN);
  char byte;
  while (read(lifeline, &byte, 1) != 0) {
  }
  remove(names);
  std::error_code ignored;
  std::filesystem::remove_all(directory, ignored);
  _exit(0);
}

}  // namespace

tl::expected<Namespaces, std::string> Namespaces::make(const std::vector<std::string>& hosts,
                                                       const std::string& directory) {
  Namespaces made;
  for (size_t i = 0; i < hosts.size(); ++i)
    made.names_.push_back(fmt::format("braid-{}-{}", getpid(), label_of(hosts[i], i)));
  std::array<int, 2> ends;
  if (pipe2(ends.data(), O_CLOEXEC) != 0)
    return tl::unexpected(fmt::format("cannot make a pipe: {}", std::strerror(errno)));
  io::FileDescriptor reader(ends[0]);
  made.lifeline_ = io::FileDescriptor(ends[1]);
  made.keeper_ = fork();
  if (made.keeper_ < 0) return tl::unexpected(fmt::format("cannot fork: {}", std::strerror(errno)));
  if (made.keeper_ == 0) {
    made.lifeline_.reset();
    keep(made.names_, directory, reader.get());
  }
  for (const std::string& name : made.names_) {
    if (auto done = run_command({"ip", "netns", "add", name}); !done)
      return tl::unexpected(fmt::format("{} (a laboratory needs root)", done.error()));
  }
  return made;
}

Namespaces::~Namespaces() {
  if (!lifeline_) return;  // moved away
  lifeline_.reset();
  while (waitpid(keeper_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void Namespaces::run_inside(size_t host, const std::function<void()>& work) const {
  std::thread([&] {
    const io::FileDescriptor fd(open(("/run/netns/" + name(host)).c_str(), O_RDONLY | O_CLOEXEC));
    BRAID_CHECK(setns(fd.get(), CLONE_NEWNET) == 0);
    work();
  }).join();
}

}  // namespace braid::lab
