#include "service/capture/capture_server.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <nlohmann/json.hpp>

#include "io/tun_device.h"
#include "service/capture/capture_protocol.h"

namespace braid::service {

namespace {

using nlohmann::json;

constexpr int kBacklog = 64;
// A user other than root does not take all, nor the descriptors behind them.
constexpr size_t kMostCaptures = 256, kMostOfUser = 16;
// What programs wrote before they ended is delivered still: for so long.
constexpr Duration kLongestDrain = 60s, kDrainCheck = 5ms;

/// A message and the descriptor that came with it.
struct Received {
  std::string text;
  io::FileDescriptor fd;
};

// Nothing: the other side has gone.
std::optional<Received> receive(int channel) {
  std::array<char, kLongestCaptureMessage> text;
  iovec part{text.data(), text.size()};
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t size = recvmsg(channel, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (size <= 0) return std::nullopt;
  Received received{.text = std::string(text.data(), static_cast<size_t>(size)), .fd = {}};
  const cmsghdr* const header = CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof(fd));
    received.fd = io::FileDescriptor(fd);
  }
  return received;
}

uint32_t user_of(int channel) {
  ucred peer{};
  socklen_t size = sizeof(peer);
  getsockopt(channel, SOL_SOCKET, SO_PEERCRED, &peer, &size);
  return peer.uid;
}

// Only of a loopback address: everything else a captured program reaches by itself.
std::optional<wire::Endpoint> read_resolver(const json& request) {
  const auto endpoint = wire::Endpoint::parse(request.value("resolver", std::string()));
  return endpoint && endpoint->address.is_loopback() && endpoint->port == kDnsPort ? endpoint : std::nullopt;
}

}  // namespace

CaptureServer::CaptureServer(io::LiveHost& live, io::Network* network, Settings settings)
    : live_(live), network_(network), settings_(std::move(settings)) {}

CaptureServer::~CaptureServer() {
  for (const auto& [fd, capture] : captures_) live_.loop().remove(fd);
  if (!listener_) return;
  live_.loop().remove(listener_.get());
  unlink(path_.c_str());
}

io::Setup<void> CaptureServer::listen(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return tl::unexpected(io::setup_error("the socket path " + path, ENAMETOOLONG, "Use a shorter one."));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  unlink(path.c_str());
  listener_ = io::FileDescriptor(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener_ ||
      bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      ::listen(listener_.get(), kBacklog) != 0) {
    return tl::unexpected(io::setup_error("the captures' socket " + path, errno));
  }
  path_ = path;
  chmod(path.c_str(), 0666);  // a namespace is whose program made it; what leaves here, any program may send
  live_.loop().add(listener_.get(), io::Interest::kRead, [this](io::Readiness) { accept_one(); });
  return {};
}

void CaptureServer::accept_one() {
  io::FileDescriptor fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd) return;
  const uint32_t uid = user_of(fd.get());
  if (!may_have_another(uid)) return;
  const int number = fd.get();
  captures_[number] = {.channel = std::move(fd), .uid = uid, .session = nullptr};
  live_.loop().add(number, io::Interest::kRead, [this, number](io::Readiness) { on_ready(number); });
}

bool CaptureServer::may_have_another(uint32_t uid) const {
  const auto is_theirs = [uid](const auto& entry) { return entry.second.uid == uid; };
  return captures_.size() < kMostCaptures &&
         (uid == 0 || static_cast<size_t>(std::ranges::count_if(captures_, is_theirs)) < kMostOfUser);
}

void CaptureServer::on_ready(int fd) {
  Capture& capture = captures_.at(fd);
  const std::string answer = begin(capture);
  if (!answer.empty()) {
    send(fd, answer.data(), answer.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (capture.session != nullptr) return;
  }
  // It is over, or never began. Not here and now: the session's packets may have brought us here.
  live_.loop().remove(fd);
  live_.loop().call_at(live_.now(), [this, fd, until = live_.now() + kLongestDrain] {
    if (CaptureSession* session = captures_.at(fd).session.get()) session->abandon_attempts();
    end(fd, until);
  });
}

// The answer; empty when nothing was asked.
std::string CaptureServer::begin(Capture& capture) {
  auto received = receive(capture.channel.get());
  if (!received) return {};
  const auto refuse = [](const std::string& why) { return json{{"error", why}}.dump(); };
  const json request = json::parse(received->text, nullptr, false);
  if (capture.session != nullptr || !request.is_object()) return {};
  try {
    if (request.value("version", 0) != kCaptureVersion) {
      return refuse("the daemon is of another version; restart it");
    }
    auto device = io::TunDevice::adopt(std::move(received->fd));
    if (!device) return refuse(device.error().message);
    CaptureSetup setup;
    setup.program = request.value("program", std::string());
    setup.resolver = read_resolver(request);
    setup.uid = capture.uid;
    setup.kernel_fallback = settings_.kernel_fallback;
    if (settings_.choose_route) {
      setup.choose_route = [this, program = setup.program,
                            uid = setup.uid](const wire::Endpoint& destination) {
        return settings_.choose_route(program, uid, destination);
      };
    }
    capture.session = std::make_unique<CaptureSession>(live_, network_, std::move(*device), std::move(setup));
  } catch (const json::exception& wrong) {  // a member of another type than it should have
    return refuse(wrong.what());
  }
  return json{{"ok", true}}.dump();
}

void CaptureServer::end(int fd, Time until) {
  const auto found = captures_.find(fd);
  const CaptureSession* session = found->second.session.get();
  if (session == nullptr || session->connection_count() == 0 || live_.now() >= until) {
    captures_.erase(found);
    return;
  }
  live_.loop().call_at(live_.now() + kDrainCheck, [this, fd, until] { end(fd, until); });
}

}  // namespace braid::service
