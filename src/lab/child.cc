#include "lab/child.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace braid::lab {

namespace {
struct Pipe {
  io::FileDescriptor reader, writer;
};

Pipe make_pipe() {
  std::array<int, 2> ends{-1, -1};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return {};
  return {io::FileDescriptor(ends[0]), io::FileDescriptor(ends[1])};
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (std::string& text : texts) result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

std::vector<std::string> environment_with(const std::vector<std::pair<std::string, std::string>>& more) {
  std::vector<std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) all.emplace_back(*entry);
  for (const auto& [name, value] : more) {
    std::erase_if(all, [&](const std::string& entry) { return entry.starts_with(name + "="); });
    all.push_back(fmt::format("{}={}", name, value));
  }
  return all;
}
}  // namespace

tl::expected<std::unique_ptr<Child>, std::string> Child::start(const Options& options) {
  std::unique_ptr<Child> child(new Child);
  Pipe in, out;
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  short flags = POSIX_SPAWN_SETSIGMASK;
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  if (!options.has_terminal) {
    in = make_pipe();
    out = make_pipe();
    posix_spawn_file_actions_adddup2(&actions, in.reader.get(), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out.writer.get(), STDOUT_FILENO);
    if (options.log_path.empty()) {
      posix_spawn_file_actions_adddup2(&actions, out.writer.get(), STDERR_FILENO);
    } else {
      posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, options.log_path.c_str(),
                                       O_WRONLY | O_CREAT | O_APPEND, 0644);
    }
    flags |= POSIX_SPAWN_SETPGROUP;  // the terminal's Ctrl-C is for us
  }
  posix_spawnattr_setflags(&attributes, flags);
  std::vector<std::string> command = options.command;
  std::vector<std::string> environment = environment_with(options.environment);
  const int error = posix_spawnp(&child->pid_, command[0].c_str(), &actions, &attributes,
                                 pointers(command).data(), pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0)
    return tl::unexpected(fmt::format("{} cannot be run: {}", command[0], std::strerror(error)));
  child->pidfd_ = io::FileDescriptor(static_cast<int>(syscall(SYS_pidfd_open, child->pid_, 0)));
  child->input_ = std::move(in.writer);
  child->output_ = std::move(out.reader);
  if (child->output_) fcntl(child->output_.get(), F_SETFL, O_NONBLOCK);
  return child;
}

Child::~Child() {
  if (pid_ < 0 || exit_status()) return;
  terminate();
  pollfd end{end_descriptor(), POLLIN, 0};
  constexpr int kPatience = 2000;  // milliseconds
  if (poll(&end, 1, kPatience) == 0) kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

std::optional<std::string> Child::read_output() {
  std::string text;
  std::array<char, 16384> buffer;
  for (;;) {
    const ssize_t size = read(output_.get(), buffer.data(), buffer.size());
    if (size > 0) {
      text.append(buffer.data(), static_cast<size_t>(size));
    } else if (size == 0) {
      return text.empty() ? std::nullopt : std::optional(text);
    } else if (errno != EINTR) {
      return text;
    }
  }
}

void Child::write_input(const std::string& text) {
  // Lines of a few octets to an agent that reads: a pipe takes them at once. If it has ended, so be it.
  if (write(input_.get(), text.data(), text.size()) < 0) return;
}

std::optional<int> Child::exit_status() {
  if (exit_status_) return exit_status_;
  int status = 0;
  if (waitpid(pid_, &status, WNOHANG) != pid_) return std::nullopt;
  exit_status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return exit_status_;
}

void Child::terminate() {
  if (!exit_status()) kill(pid_, SIGTERM);
}

}  // namespace braid::lab
