#include "service/control_server.h"

#include <fmt/format.h>
#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace braid::service {

namespace {
constexpr size_t kLongestLine = 65536;
constexpr size_t kMostClients = 64;
constexpr int kBacklog = 16;
constexpr size_t kMostUnread = 1u << 20;  // of events that a client has not read
}  // namespace

ControlServer::~ControlServer() {
  for (const auto& [fd, client] : clients_) loop_.remove(fd);
  if (!listener_) return;
  loop_.remove(listener_.get());
  unlink(path_.c_str());
}

namespace {
// The owner may give his file to a group that he is a member of; root to any.
io::Setup<void> give_to_group(const std::string& path, const std::string& name) {
  if (name.empty()) return {};
  const group* entry = getgrnam(name.c_str());
  if (entry == nullptr) {
    return tl::unexpected(io::setup_error(fmt::format("The group \"{}\", which [daemon] group names", name),
                                          ENOENT, fmt::format("Make it: groupadd --system {}", name)));
  }
  if (chown(path.c_str(), static_cast<uid_t>(-1), entry->gr_gid) != 0 || chmod(path.c_str(), 0660) != 0) {
    return tl::unexpected(io::setup_error(fmt::format("Cannot give {} to the group {}", path, name), errno,
                                          "The daemon's user must be a member of it."));
  }
  return {};
}
}  // namespace

io::Setup<void> ControlServer::listen(const std::string& path, const std::string& group) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) {
    return tl::unexpected(io::setup_error("the control socket " + path, ENAMETOOLONG, "Use a shorter path."));
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  const auto* name = reinterpret_cast<const sockaddr*>(&address);
  io::FileDescriptor probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (connect(probe.get(), name, sizeof(address)) == 0) {
    return tl::unexpected(io::setup_error("the control socket " + path, EADDRINUSE,
                                          "Another daemon serves there; stop it or use another --socket."));
  }
  unlink(path.c_str());
  io::FileDescriptor fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const mode_t previous = umask(0177);
  const bool is_bound = fd && bind(fd.get(), name, sizeof(address)) == 0;
  const int error = errno;
  umask(previous);
  if (!is_bound || ::listen(fd.get(), kBacklog) != 0) {
    return tl::unexpected(io::setup_error("the control socket " + path, is_bound ? errno : error,
                                          "Does its directory exist, and may you write there?"));
  }
  path_ = path;
  listener_ = std::move(fd);
  if (auto given = give_to_group(path, group); !given) return given;
  loop_.add(listener_.get(), io::Interest::kRead, [this](io::Readiness) { accept_client(); });
  return {};
}

void ControlServer::accept_client() {
  io::FileDescriptor fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd || clients_.size() >= kMostClients) return;
  const int number = fd.get();
  clients_[number] = std::make_unique<Client>();
  clients_[number]->fd = std::move(fd);
  loop_.add(number, io::Interest::kRead, [this, number](io::Readiness r) { on_ready(number, r); });
}

void ControlServer::on_ready(int fd, io::Readiness readiness) {
  Client& client = *clients_.at(fd);
  const bool is_over = readiness.failed || (readiness.readable && !read_lines(client)) || !flush(client);
  if (is_over) {
    loop_.remove(fd);
    clients_.erase(fd);
    return;
  }
  // One who does not read his answers gets no more of them. (Events come meanwhile, up to a limit.)
  loop_.modify(fd, client.output.empty() ? io::Interest::kRead : io::Interest::kWrite);
}

bool ControlServer::read_lines(Client& client) {
  std::array<char, 16384> buffer;
  const ssize_t n = recv(client.fd.get(), buffer.data(), buffer.size(), 0);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  if (n == 0) return false;
  client.input.append(buffer.data(), static_cast<size_t>(n));
  size_t end = 0;
  while ((end = client.input.find('\n')) != std::string::npos) {
    client.output += answer(client.input.substr(0, end), client.subscriptions) + "\n";
    client.input.erase(0, end + 1);
  }
  return client.input.size() <= kLongestLine;
}

bool ControlServer::flush(Client& client) {
  while (!client.output.empty()) {
    const ssize_t n = send(client.fd.get(), client.output.data(), client.output.size(), MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    client.output.erase(0, static_cast<size_t>(n));
  }
  return true;
}

bool ControlServer::has_subscribers(Feed feed) const {
  return std::ranges::any_of(clients_,
                             [&](const auto& entry) { return entry.second->subscriptions.has(feed); });
}

size_t ControlServer::subscriber_count() const {
  return static_cast<size_t>(std::ranges::count_if(
      clients_, [](const auto& entry) { return entry.second->subscriptions.feeds != 0; }));
}

// May come from inside of a connection: nothing is sent, and nobody removed, before the loop's next round.
void ControlServer::publish(Feed feed, const std::string& line) {
  for (const auto& [fd, client] : clients_) {
    if (!client->subscriptions.has(feed)) continue;
    if (client->output.size() + line.size() > kMostUnread) {
      ++client->lost_events;
      ++all_lost_events_;
      continue;
    }
    if (client->lost_events > 0) {
      client->output += fmt::format("{{\"event\":\"lost\",\"count\":{}}}\n", client->lost_events);
      client->lost_events = 0;
    }
    client->output += line + "\n";
    loop_.modify(fd, io::Interest::kReadWrite);
  }
}

std::string ControlServer::answer(const std::string& line, Subscriptions& subscriptions) const {
  const nlohmann::json request = nlohmann::json::parse(line, nullptr, false);
  tl::expected<nlohmann::json, std::string> result =
      tl::unexpected(std::string("a request is a JSON object with a \"command\""));
  if (request.is_object() && request.contains("command") && request["command"].is_string()) {
    try {
      result = handler_(request, subscriptions);
    } catch (const nlohmann::json::exception& wrong) {  // a member of another type than it should have
      result = tl::unexpected(std::string(wrong.what()));
    }
  }
  nlohmann::json out;
  out["ok"] = result.has_value();
  if (result) {
    out["result"] = std::move(*result);
  } else {
    out["error"] = result.error();
  }
  return out.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace braid::service
