#include "service/http_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace braid::service {

namespace {
constexpr int kBacklog = 16;
constexpr size_t kMostInput = 2 * kLongestHttpRequest;

socklen_t fill(sockaddr_storage& storage, const wire::Endpoint& endpoint) {
  const std::string text = endpoint.address.to_string();
  if (endpoint.address.is_v4()) {
    auto& to = reinterpret_cast<sockaddr_in&>(storage);
    to.sin_family = AF_INET;
    to.sin_port = htons(endpoint.port);
    inet_pton(AF_INET, text.c_str(), &to.sin_addr);
    return sizeof(to);
  }
  auto& to = reinterpret_cast<sockaddr_in6&>(storage);
  to.sin6_family = AF_INET6;
  to.sin6_port = htons(endpoint.port);
  inet_pton(AF_INET6, text.c_str(), &to.sin6_addr);
  return sizeof(to);
}

std::string name_of(const HttpAddress& address) {
  return address.unix_path.empty() ? address.endpoint.to_string() : address.unix_path;
}
}  // namespace

tl::expected<HttpAddress, std::string> parse_http_address(std::string_view text) {
  HttpAddress out;
  if (text.starts_with("unix:") || text.starts_with("/")) {
    out.unix_path = text.starts_with("unix:") ? text.substr(5) : text;
    if (out.unix_path.empty()) return tl::unexpected(std::string("unix: needs a path after it"));
    if (out.unix_path.size() >= sizeof(sockaddr_un::sun_path))
      return tl::unexpected(fmt::format("the path {} is too long for a Unix socket", out.unix_path));
    return out;
  }
  const size_t colon = text.rfind(':');
  std::string_view host = text.substr(0, colon);
  const bool has_brackets = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (has_brackets) host = host.substr(1, host.size() - 2);
  const auto address =
      host == "localhost" ? wire::IpAddress::parse("127.0.0.1") : wire::IpAddress::parse(std::string(host));
  const std::string_view port = colon == std::string_view::npos ? std::string_view() : text.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.endpoint.port);
  if (!address || (!address->is_v4() && !has_brackets) || port.empty() || error != std::errc() ||
      end != port.data() + port.size())
    return tl::unexpected(
        fmt::format("\"{}\" is no place to listen at, such as \"127.0.0.1:9464\", \"[::1]:9464\" or "
                    "\"unix:/run/braid/metrics.sock\"",
                    text));
  out.endpoint.address = *address;
  if (!address->is_loopback())
    return tl::unexpected(fmt::format(
        "{} can be reached from outside, and the page has neither encryption nor a password: listen at "
        "127.0.0.1, [::1] or a Unix socket, and put a proxy that has them in front",
        address->to_string()));
  return out;
}

HttpServer::~HttpServer() {
  while (!clients_.empty()) remove(clients_.begin()->first);
  if (!listener_) return;
  loop_.remove(listener_.get());
  if (!unix_path_.empty()) unlink(unix_path_.c_str());
}

io::Setup<void> HttpServer::open_listener(const HttpAddress& address) {
  const auto failed = [&](int error) {
    const char* remedy = error == EADDRINUSE ? "Something else listens there: choose another port."
                                             : "Choose another place with [metrics] listen or --metrics.";
    return tl::unexpected(io::setup_error("the metrics at " + name_of(address), error, remedy));
  };
  if (address.unix_path.empty()) {
    sockaddr_storage storage{};
    const socklen_t length = fill(storage, address.endpoint);
    io::FileDescriptor fd(socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const int on = 1;
    setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (!fd || bind(fd.get(), reinterpret_cast<sockaddr*>(&storage), length) != 0 ||
        ::listen(fd.get(), kBacklog) != 0)
      return failed(errno);
    sockaddr_storage bound{};
    socklen_t size = sizeof(bound);
    getsockname(fd.get(), reinterpret_cast<sockaddr*>(&bound), &size);
    port_ = ntohs(bound.ss_family == AF_INET ? reinterpret_cast<sockaddr_in&>(bound).sin_port
                                             : reinterpret_cast<sockaddr_in6&>(bound).sin6_port);
    listener_ = std::move(fd);
    return {};
  }
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, address.unix_path.data(), address.unix_path.size());
  const auto* bytes = reinterpret_cast<const sockaddr*>(&name);
  io::FileDescriptor probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (connect(probe.get(), bytes, sizeof(name)) == 0) return failed(EADDRINUSE);
  // What a daemon left that was killed; a file of another kind is somebody's.
  struct stat status {};
  if (stat(address.unix_path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode))
    unlink(address.unix_path.c_str());
  io::FileDescriptor fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const mode_t previous = umask(0117);  // the group may be given to whoever collects
  const bool is_bound = fd && bind(fd.get(), bytes, sizeof(name)) == 0;
  const int error = errno;
  umask(previous);
  if (!is_bound) return failed(error);
  if (::listen(fd.get(), kBacklog) != 0) return failed(errno);
  unix_path_ = address.unix_path;
  listener_ = std::move(fd);
  return {};
}

io::Setup<void> HttpServer::listen(const HttpAddress& address) {
  if (auto opened = open_listener(address); !opened) return opened;
  loop_.add(listener_.get(), io::Interest::kRead, [this](io::Readiness) { accept_clients(); });
  return {};
}

void HttpServer::accept_clients() {
  io::FileDescriptor fd(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd) return;
  if (clients_.size() >= limits_.clients) {
    const std::string full = format_http_answer({.status = 503, .body = "too many clients\n"}, true, false);
    (void)!send(fd.get(), full.data(), full.size(), MSG_NOSIGNAL);
    return;
  }
  const int number = fd.get();
  auto client = std::make_unique<Client>();
  client->fd = std::move(fd);
  set_timer(number, *client);
  clients_[number] = std::move(client);
  loop_.add(number, io::Interest::kRead, [this, number](io::Readiness r) { on_ready(number, r); });
}

void HttpServer::on_ready(int fd, io::Readiness readiness) {
  Client& client = *clients_.at(fd);
  const bool goes_on = !readiness.failed && (!readiness.readable || read(client)) && serve(client);
  if (!goes_on) return remove(fd);
  const Phase phase = phase_of(client);
  loop_.modify(fd, phase == Phase::kAnswer ? io::Interest::kWrite : io::Interest::kRead);
  // A request that trickles in, or an answer that trickles out, gets no more time with each octet.
  if (phase == client.phase && phase != Phase::kIdle) return;
  client.phase = phase;
  set_timer(fd, client);
}

HttpServer::Phase HttpServer::phase_of(const Client& client) const {
  if (client.sent < client.output.size()) return Phase::kAnswer;
  if (client.is_done) return Phase::kClosing;
  return client.input.empty() ? Phase::kIdle : Phase::kRequest;
}

Duration HttpServer::patience_of(Phase phase) const {
  switch (phase) {
    case Phase::kIdle:
      return limits_.idle;
    case Phase::kAnswer:
      return limits_.answer;
    default:
      return limits_.request;
  }
}

bool HttpServer::read(Client& client) {
  std::array<char, 4096> buffer;
  const ssize_t n = recv(client.fd.get(), buffer.data(), buffer.size(), 0);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  if (n == 0) return client.sent < client.output.size();  // what it asked for still goes out
  if (client.is_done) return true;
  client.input.append(buffer.data(), static_cast<size_t>(n));
  return client.input.size() <= kMostInput;
}

/// Answers what is there, one after the other.
bool HttpServer::serve(Client& client) {
  for (;;) {
    if (!flush(client)) return false;
    if (client.sent < client.output.size()) return true;
    client.output.clear();
    client.sent = 0;
    if (client.is_last) {
      if (!client.is_done) shutdown(client.fd.get(), SHUT_WR);
      client.is_done = true;
      client.input.clear();
      return true;
    }
    const HttpParsed parsed = parse_http_request(client.input);
    if (parsed.status == 0) return true;
    client.input.erase(0, parsed.size);
    answer(client, parsed);
  }
}

void HttpServer::answer(Client& client, const HttpParsed& parsed) {
  const HttpRequest& request = parsed.request;
  client.is_last = parsed.status != 200 || !request.keeps_alive;
  HttpAnswer made;
  if (parsed.status != 200) {
    made = {.status = parsed.status, .body = fmt::format("{}\n", http_reason(parsed.status))};
  } else if (request.method != "GET" && request.method != "HEAD") {
    made = {.status = 405, .body = "only GET and HEAD\n", .allow = "GET, HEAD"};
  } else {
    made = handler_(request);
  }
  client.output = format_http_answer(made, request.method != "HEAD", !client.is_last);
}

bool HttpServer::flush(Client& client) {
  while (client.sent < client.output.size()) {
    const ssize_t n = send(client.fd.get(), client.output.data() + client.sent,
                           client.output.size() - client.sent, MSG_NOSIGNAL);
    if (n < 0) return errno == EAGAIN || errno == EINTR;
    client.sent += static_cast<size_t>(n);
  }
  return true;
}

void HttpServer::set_timer(int fd, Client& client) {
  loop_.cancel(client.timer);
  client.timer = loop_.call_at(io::read_clock() + patience_of(client.phase), [this, fd] { on_timeout(fd); });
}

void HttpServer::on_timeout(int fd) {
  Client& client = *clients_.at(fd);
  client.timer = 0;
  // One who began to ask is told; one who only held the connection is not.
  if (!client.input.empty() && client.output.empty()) {
    const std::string text =
        format_http_answer({.status = 408, .body = "the request took too long\n"}, true, false);
    (void)!send(fd, text.data(), text.size(), MSG_NOSIGNAL);
  }
  remove(fd);
}

void HttpServer::remove(int fd) {
  const auto found = clients_.find(fd);
  if (found == clients_.end()) return;
  loop_.cancel(found->second->timer);
  loop_.remove(fd);
  clients_.erase(found);
}

}  // namespace braid::service
