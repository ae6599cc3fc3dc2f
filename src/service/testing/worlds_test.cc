#include "service/testing/worlds.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <future>

namespace braid::service {

namespace {
constexpr const char* kPrelude = R"(
import socket, os, sys, select, errno, struct, time
def say(*words): print(*words, flush=True)
def hear(): return sys.stdin.readline().strip()
def receive(s, n):
    data = b''
    while len(data) < n:
        part = s.recv(min(n - len(data), 1 << 20))
        if not part: break
        data += part
    return data
def name(e): return errno.errorcode.get(e, e)
def outcome(call, *arguments):
    try: return call(*arguments)
    except OSError as e: return name(e.errno)
def error_of(s): return name(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
)";
constexpr int kMostSeconds = 30;

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (const std::string& string : strings) out.push_back(const_cast<char*>(string.c_str()));
  out.push_back(nullptr);
  return out;
}
}  // namespace

Program::Program(const std::vector<std::string>& arguments, const std::vector<std::string>& environment) {
  std::array<int, 2> out{}, in{};
  if (pipe2(out.data(), O_CLOEXEC) != 0 || pipe2(in.data(), O_CLOEXEC) != 0) return;
  pid_ = fork();
  if (pid_ == 0) {
    dup2(in[0], STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    dup2(out[1], STDERR_FILENO);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    alarm(kMostSeconds);
    std::vector<std::string> all = environment;
    for (const char* name : {"PATH", "HOME"}) {
      if (const char* value = getenv(name)) all.push_back(fmt::format("{}={}", name, value));
    }
    execvpe(arguments[0].c_str(), pointers(arguments).data(), pointers(all).data());
    _exit(127);
  }
  ::close(in[0]);
  ::close(out[1]);
  input_ = in[1];
  output_ = fdopen(out[0], "r");
}

Program::Program(Program&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      output_(std::exchange(other.output_, nullptr)),
      input_(std::exchange(other.input_, -1)) {}

Program::~Program() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  if (input_ >= 0) ::close(input_);
  if (output_ != nullptr) fclose(output_);
}

std::string Program::read_line() {
  std::string line;
  for (int c = fgetc(output_); c != EOF && c != '\n'; c = fgetc(output_))
    line.push_back(static_cast<char>(c));
  return line;
}

void Program::write_line(const std::string& line) {
  const std::string text = line + "\n";
  EXPECT_EQ(write(input_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
}

std::string Program::finish() {
  if (input_ >= 0) ::close(std::exchange(input_, -1));
  std::string text;
  for (int c = fgetc(output_); c != EOF; c = fgetc(output_)) text.push_back(static_cast<char>(c));
  int status = 0;
  waitpid(std::exchange(pid_, -1), &status, 0);
  if (WIFSIGNALED(status)) text += fmt::format("[signal {}]", WTERMSIG(status));
  if (WIFEXITED(status) && WEXITSTATUS(status) != 0) text += fmt::format("[exit {}]", WEXITSTATUS(status));
  return text;
}

World::World(MemoryLink& link, int end, const SocketSettings& settings, const std::string& socket_path)
    : end_(end), socket_path_(socket_path) {
  if (socket_path_.empty()) {
    directory_ = "/tmp/braid-test-XXXXXX";
    EXPECT_NE(mkdtemp(directory_.data()), nullptr);
    socket_path_ = directory_ + "/braid.sock";
  } else {
    directory_ = socket_path_.substr(0, socket_path_.rfind('/'));
    mkdir(directory_.c_str(), 0755);
  }
  std::promise<void> ready;
  thread_ = std::thread([&link, settings, &ready, this] { run(link, settings, [&] { ready.set_value(); }); });
  ready.get_future().wait();
}

World::~World() {
  kill();
  rmdir(directory_.c_str());
}

void World::run(MemoryLink& link, const SocketSettings& settings, const std::function<void()>& on_ready) {
  io::EventLoop loop;
  host::HostConfig config;
  config.connection.survive_without_subflows = 1s;
  io::LiveHost live(loop, config);
  io::PacketDevice& device = live.attach(std::make_unique<MemoryDevice>(link, end_));
  host::InterfaceConfig interface;
  interface.name = "memory";
  interface.addresses = {{*wire::IpAddress::parse(fmt::format("192.0.2.{}", end_ + 1)), 24},
                         {*wire::IpAddress::parse(fmt::format("2001:db8::{}", end_ + 1)), 64}};
  live.add_interface(interface, device);
  SocketService service(live, nullptr, settings);
  const auto listening = service.listen(socket_path_ + kApplicationSuffix);
  EXPECT_TRUE(listening.has_value()) << listening.error().message;
  loop_ = &loop;
  service_ = &service;
  host_ = &live.host();
  on_ready();
  loop.run();
}

void World::kill() {
  if (!thread_.joinable()) return;
  loop_->post([this] { loop_->stop(); });
  thread_.join();
}

void World::inside(const std::function<void(SocketService&, host::Host&)>& work) {
  std::promise<void> done;
  loop_->post([&] {
    work(*service_, *host_);
    done.set_value();
  });
  done.get_future().wait();
}

Program World::start(const std::vector<std::string>& arguments) const {
  return Program(arguments, {"LD_PRELOAD=" BRAID_SHIM_PATH, "BRAID_SOCKET=" + socket_path_});
}

Program World::python(const std::string& source) const {
  return start(
      {"python3", "-c",
       fmt::format("{}HERE, THERE = '192.0.2.{}', '192.0.2.{}'\n{}", kPrelude, end_ + 1, 2 - end_, source)});
}

}  // namespace braid::service
