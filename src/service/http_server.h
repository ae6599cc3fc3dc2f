// A small HTTP server on the event loop, for pages that this process makes: the metrics. It answers GET and
// HEAD, one request at a time on each connection; slow, idle and senseless clients are bounded in time and
// number.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <unordered_map>

#include "io/event_loop.h"
#include "io/file_descriptor.h"
#include "io/setup_error.h"
#include "service/http_request.h"
#include "wire/address.h"

namespace braid::service {

/// Where it listens: a port of a loopback address, or a Unix socket.
struct HttpAddress {
  wire::Endpoint endpoint;
  std::string unix_path;  // if not empty
};
/// "127.0.0.1:9464", "[::1]:9464", "unix:/run/braid/metrics.sock" or "/run/braid/metrics.sock". The error is
/// for people; an address that others could reach is one.
tl::expected<HttpAddress, std::string> parse_http_address(std::string_view text);

struct HttpLimits {
  size_t clients = 32;
  Duration request = 10s;  // from its first octet, or the connection's begin, until all of it is there
  Duration answer = 30s;   // until the client has taken it
  Duration idle = 120s;    // between requests
};

class HttpServer {
 public:
  /// For a GET, or a HEAD; other methods do not get there.
  using Handler = std::function<HttpAnswer(const HttpRequest&)>;

  HttpServer(io::EventLoop& loop, Handler handler, const HttpLimits& limits = {})
      : loop_(loop), handler_(std::move(handler)), limits_(limits) {}
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  io::Setup<void> listen(const HttpAddress& address);
  /// Of the endpoint, if port 0 was asked for.
  uint16_t port() const { return port_; }

 private:
  enum class Phase : uint8_t { kIdle, kRequest, kAnswer, kClosing };
  struct Client {
    io::FileDescriptor fd;
    std::string input, output;
    size_t sent = 0;
    Phase phase = Phase::kRequest;
    bool is_last = false;  // it is closed once the output is out
    bool is_done = false;  // and then waits for the client to close: a reset would take the answer away
    io::EventLoop::TimerId timer = 0;
  };
  io::Setup<void> open_listener(const HttpAddress& address);
  void accept_clients();
  void on_ready(int fd, io::Readiness readiness);
  /// False: it is over.
  bool read(Client& client);
  bool serve(Client& client);
  bool flush(Client& client);
  void answer(Client& client, const HttpParsed& parsed);
  Phase phase_of(const Client& client) const;
  Duration patience_of(Phase phase) const;
  void set_timer(int fd, Client& client);
  void on_timeout(int fd);
  void remove(int fd);

  io::EventLoop& loop_;
  Handler handler_;
  HttpLimits limits_;
  io::FileDescriptor listener_;
  std::string unix_path_;
  uint16_t port_ = 0;
  std::unordered_map<int, std::unique_ptr<Client>> clients_;
};

}  // namespace braid::service
