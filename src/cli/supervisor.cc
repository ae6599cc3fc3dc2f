#include "cli/supervisor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "io/file_descriptor.h"
#include "io/shared_uplinks.h"
#include "service/socket_protocol.h"

namespace braid::cli {

namespace {
constexpr std::string_view kReady = "ready\n";
constexpr std::string_view kErrorPrefix = "error: ";

std::string read_all(int fd) {
  std::string text;
  std::array<char, 1024> buffer;
  ssize_t size;
  while ((size = read(fd, buffer.data(), buffer.size())) > 0 || (size < 0 && errno == EINTR)) {
    if (size > 0) text.append(buffer.data(), static_cast<size_t>(size));
  }
  return text;
}

[[noreturn]] void be_the_daemon(service::DaemonOptions options, int ready_fd, pid_t watcher) {
  // Nobody would clean up after a daemon whose watcher was killed: it ends, and does so itself.
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != watcher) _exit(1);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  options.ready_fd = ready_fd;
  _exit(service::run_daemon(options));
}

std::string error_in(const std::string& answer) {
  if (answer == kReady) return {};
  if (!answer.starts_with(kErrorPrefix)) return "the daemon ended before it was ready";
  std::string error = answer.substr(kErrorPrefix.size());
  while (!error.empty() && error.back() == '\n') error.pop_back();
  return error;
}

int wait_for_end(pid_t daemon, const sigset_t& signals) {
  for (;;) {
    siginfo_t info;
    if (sigwaitinfo(&signals, &info) < 0) continue;
    if (info.si_signo == SIGTERM || info.si_signo == SIGINT) kill(daemon, SIGTERM);
    int status = 0;
    if (waitpid(daemon, &status, WNOHANG) != daemon) continue;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
}
}  // namespace

int supervise_daemon(const service::DaemonOptions& options,
                     const std::function<void(const std::string& error)>& on_start) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  sigprocmask(SIG_BLOCK, &signals, nullptr);
  std::array<int, 2> ends;
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    on_start(fmt::format("cannot make a pipe: {}", std::strerror(errno)));
    return 1;
  }
  const io::FileDescriptor reader(ends[0]);
  io::FileDescriptor writer(ends[1]);
  const pid_t watcher = getpid();
  const pid_t daemon = fork();
  if (daemon < 0) {
    on_start(fmt::format("cannot fork: {}", std::strerror(errno)));
    return 1;
  }
  if (daemon == 0) be_the_daemon(options, writer.release(), watcher);
  writer.reset();
  on_start(error_in(read_all(reader.get())));
  const int status = wait_for_end(daemon, signals);
  if (status >= 128) {
    const std::string failure = clean_up_after_killed_daemons(options.socket_path);
    fmt::print(stderr, "braid: the daemon was killed by signal {}; {}\n", status - 128,
               failure.empty() ? "the machine is as it was before it" : failure);
  }
  return status;
}

pid_t daemon_at(const std::string& socket_path, int type) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof(address.sun_path)) return 0;
  std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
  const io::FileDescriptor fd(socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
  ucred peer{};
  socklen_t size = sizeof(peer);
  const bool is_there = connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 &&
                        getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
  return is_there ? peer.pid : 0;
}

std::string clean_up_after_killed_daemons(const std::string& socket_path) {
  if (daemon_at(socket_path) == 0) {
    unlink(socket_path.c_str());
    unlink((socket_path + std::string(service::kApplicationSuffix)).c_str());
  }
  const auto done = io::clean_up_after_dead_instances();
  return done ? std::string() : done.error().message;
}

}  // namespace braid::cli
