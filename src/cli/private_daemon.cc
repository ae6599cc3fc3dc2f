#include "cli/private_daemon.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "service/daemon.h"

namespace braid::cli {

namespace {
// Where the lifeline lies in programs: out of the way of those that count on low numbers.
constexpr int kLifelineNumber = 200;

struct Pipe {
  io::FileDescriptor reader, writer;
};

bool open_pipe(Pipe& made) {
  std::array<int, 2> ends;
  if (pipe2(ends.data(), O_CLOEXEC) != 0) return false;
  made.reader = io::FileDescriptor(ends[0]);
  made.writer = io::FileDescriptor(ends[1]);
  return true;
}

std::string read_all(int fd) {
  std::string text;
  std::array<char, 1024> buffer;
  ssize_t size;
  while ((size = read(fd, buffer.data(), buffer.size())) > 0 || (size < 0 && errno == EINTR)) {
    if (size > 0) text.append(buffer.data(), static_cast<size_t>(size));
  }
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

// In a session of its own: the terminal's signals are for the command. Nothing of the command's standard
// input and output is kept open; warnings go where the command's do.
void detach_from_terminal() {
  setsid();
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  dup2(null, STDIN_FILENO);
  dup2(null, STDOUT_FILENO);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}
}  // namespace

tl::expected<std::unique_ptr<PrivateDaemon>, std::string> PrivateDaemon::start(
    const service::Config& config) {
  std::unique_ptr<PrivateDaemon> daemon(new PrivateDaemon);
  std::string directory = "/tmp/braid-run-XXXXXX";
  if (mkdtemp(directory.data()) == nullptr) {
    return tl::unexpected("cannot make a directory in /tmp: " + std::string(std::strerror(errno)));
  }
  daemon->directory_ = directory;
  // Servers change their user and go on: they must find the socket still.
  chmod(directory.c_str(), 0755);
  daemon->socket_path_ = directory + "/braid.sock";
  Pipe ready, lifeline;
  if (!open_pipe(ready) || !open_pipe(lifeline)) {
    return tl::unexpected("cannot make a pipe: " + std::string(std::strerror(errno)));
  }
  daemon->lifeline_ = io::FileDescriptor(fcntl(lifeline.writer.get(), F_DUPFD_CLOEXEC, kLifelineNumber));
  lifeline.writer.reset();
  daemon->pid_ = fork();
  if (daemon->pid_ < 0) return tl::unexpected("cannot fork: " + std::string(std::strerror(errno)));
  if (daemon->pid_ == 0) {
    detach_from_terminal();
    daemon->lifeline_.reset();
    ready.reader.reset();
    service::DaemonOptions options;
    options.config = config;
    options.socket_path = daemon->socket_path_;
    options.ready_fd = ready.writer.release();
    options.lifeline_fd = lifeline.reader.release();
    const std::string own_directory = daemon->directory_;
    const int status = service::run_daemon(options);
    rmdir(own_directory.c_str());
    _exit(status);
  }
  ready.writer.reset();
  daemon->lifeline_reader_ = std::move(lifeline.reader);
  const std::string answer = read_all(ready.reader.get());
  if (answer == "ready") return daemon;
  constexpr std::string_view kErrorPrefix = "error: ";
  if (answer.starts_with(kErrorPrefix)) return tl::unexpected(answer.substr(kErrorPrefix.size()));
  return tl::unexpected(std::string("the daemon ended before it was ready"));
}

PrivateDaemon::~PrivateDaemon() {
  lifeline_.reset();
  if (pid_ > 0) {
    pollfd poller = {lifeline_reader_.get(), 0, 0};
    const bool is_released = poll(&poller, 1, 0) > 0 && (poller.revents & POLLHUP) != 0;
    if (!is_released) return;
    while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  rmdir(directory_.c_str());
}

}  // namespace braid::cli
