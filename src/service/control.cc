#include "service/control.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace braid::service {

std::string control_socket_path() {
  const char* path = std::getenv(kSocketVariable);
  return path != nullptr && *path != '\0' ? std::string(path) : std::string(kDefaultSocketPath);
}

tl::expected<ControlClient, std::string> ControlClient::connect(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return tl::unexpected(fmt::format("the socket path {} is too long", path));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  ControlClient client(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (client.fd_ < 0 ||
      ::connect(client.fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    const int error = errno;
    const char* remedy = error == EACCES || error == EPERM
                             ? "The daemon's owner, or root, may ask it."
                             : "Start one with `braid daemon`, or name its socket with BRAID_SOCKET.";
    return tl::unexpected(fmt::format("no daemon at {}: {}. {}", path, std::strerror(error), remedy));
  }
  return client;
}

ControlClient::ControlClient(ControlClient&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      received_(std::move(other.received_)),
      events_(std::move(other.events_)) {}

ControlClient& ControlClient::operator=(ControlClient&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(received_, other.received_);
  std::swap(events_, other.events_);
  return *this;
}

ControlClient::~ControlClient() {
  if (fd_ >= 0) ::close(fd_);
}

tl::expected<nlohmann::json, std::string> ControlClient::call(const nlohmann::json& request) {
  const std::string line = request.dump() + "\n";
  for (size_t sent = 0; sent < line.size();) {
    const ssize_t n = send(fd_, line.data() + sent, line.size() - sent, MSG_NOSIGNAL);
    if (n < 0 && errno != EINTR) return tl::unexpected(fmt::format("the daemon: {}", std::strerror(errno)));
    if (n > 0) sent += static_cast<size_t>(n);
  }
  for (;;) {
    auto answer = next_line();
    if (!answer) return answer;
    if (answer->contains("event")) {
      events_.push_back(std::move(*answer));
      continue;
    }
    if (answer->value("ok", false)) return answer->value("result", nlohmann::json::object());
    return tl::unexpected(answer->value("error", std::string("the daemon refused")));
  }
}

tl::expected<nlohmann::json, std::string> ControlClient::next_event() {
  if (!events_.empty()) {
    nlohmann::json event = std::move(events_.front());
    events_.pop_front();
    return event;
  }
  for (;;) {
    auto line = next_line();
    if (!line || line->contains("event")) return line;
  }
}

std::deque<nlohmann::json> ControlClient::take_events() { return std::exchange(events_, {}); }

tl::expected<nlohmann::json, std::string> ControlClient::next_line() {
  size_t end = 0;
  while ((end = received_.find('\n')) == std::string::npos) {
    std::array<char, 65536> buffer;
    const ssize_t n = recv(fd_, buffer.data(), buffer.size(), 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return tl::unexpected(std::string("the daemon has ended"));
    received_.append(buffer.data(), static_cast<size_t>(n));
  }
  nlohmann::json line = nlohmann::json::parse(received_.substr(0, end), nullptr, false);
  received_.erase(0, end + 1);
  if (!line.is_object()) return tl::unexpected(std::string("the daemon's answer makes no sense"));
  return line;
}

}  // namespace braid::service
