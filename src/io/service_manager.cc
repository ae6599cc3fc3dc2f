#include "io/service_manager.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace braid::io {

namespace {
template <class Integer>
std::optional<Integer> number_in_environment(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr) return {};
  Integer value = 0;
  const char* const end = text + std::strlen(text);
  const auto [rest, error] = std::from_chars(text, end, value);
  if (error != std::errc() || rest != end) return {};
  return value;
}

std::string one_line(std::string_view text) {
  std::string line(text);
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}
}  // namespace

ServiceManager ServiceManager::from_environment() {
  ServiceManager manager;
  const char* name = std::getenv("NOTIFY_SOCKET");
  const std::string address = name == nullptr ? "" : name;
  // Without a pid it is for whoever reads it.
  const auto pid = number_in_environment<pid_t>("WATCHDOG_PID");
  const auto watchdog_us = number_in_environment<int64_t>("WATCHDOG_USEC");
  unsetenv("NOTIFY_SOCKET");
  unsetenv("WATCHDOG_PID");
  unsetenv("WATCHDOG_USEC");
  const bool is_sound = address.size() > 1 && address.size() < sizeof(sockaddr_un::sun_path) &&
                        (address[0] == '/' || address[0] == '@');
  if (!is_sound) return manager;
  manager.address_ = address;
  if (address[0] == '@') manager.address_[0] = '\0';
  manager.fd_ = FileDescriptor(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (watchdog_us && *watchdog_us > 0 && (!pid || *pid == getpid())) {
    manager.watchdog_interval_ = std::chrono::microseconds(*watchdog_us / 2);
  }
  return manager;
}

void ServiceManager::send(const std::string& lines) {
  if (!fd_) return;
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, address_.data(), address_.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + address_.size());
  // A manager that does not listen is no reason to fail.
  (void)sendto(fd_.get(), lines.data(), lines.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
               reinterpret_cast<const sockaddr*>(&to), size);
}

void ServiceManager::ready(std::string_view status) {
  send(fmt::format("READY=1\nSTATUS={}\nMAINPID={}", one_line(status), getpid()));
}

void ServiceManager::status(std::string_view status) { send("STATUS=" + one_line(status)); }

void ServiceManager::reloading() {
  const auto now_us = std::chrono::duration_cast<std::chrono::microseconds>(
      std::chrono::steady_clock::now().time_since_epoch());
  send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", now_us.count()));
}

void ServiceManager::stopping() { send("STOPPING=1"); }

void ServiceManager::alive() { send("WATCHDOG=1"); }

bool is_logging_to_journal() {
  const char* text = std::getenv("JOURNAL_STREAM");
  if (text == nullptr) return false;
  struct stat status {};
  if (fstat(STDERR_FILENO, &status) != 0) return false;
  return fmt::format("{}:{}", status.st_dev, status.st_ino) == text;
}

}  // namespace braid::io
