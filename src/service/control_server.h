// The daemon's side of the control protocol (control.h): takes lines, gives lines.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <tl/expected.hpp>
#include <unordered_map>
#include <vector>

#include "io/event_loop.h"
#include "io/file_descriptor.h"
#include "io/setup_error.h"

namespace braid::service {

/// What may be published; a client gets those that it asked for.
enum class Feed : uint8_t {
  kPaths = 1,      // what programs that manage paths are told (path_events.h)
  kDecisions = 2,  // everything that connections decide (decision_events.h)
};
struct Subscriptions {
  uint8_t feeds = 0;
  void add(Feed feed) { feeds |= static_cast<uint8_t>(feed); }
  bool has(Feed feed) const { return (feeds & static_cast<uint8_t>(feed)) != 0; }
};

class ControlServer {
 public:
  /// The "result" of a request (an object with "command"), or the "error". `subscriptions`: of the client,
  /// who gets what is published there from then on.
  using Handler = std::function<tl::expected<nlohmann::json, std::string>(const nlohmann::json& request,
                                                                          Subscriptions& subscriptions)>;

  ControlServer(io::EventLoop& loop, Handler handler) : loop_(loop), handler_(std::move(handler)) {}
  ~ControlServer();
  ControlServer(const ControlServer&) = delete;
  ControlServer& operator=(const ControlServer&) = delete;

  /// For the daemon's owner, root and the members of `group` (empty: none) only: whoever may connect may
  /// change paths and stop the daemon.
  io::Setup<void> listen(const std::string& path, const std::string& group = "");

  bool has_subscribers(Feed feed) const;
  /// A line, an object with "event", for each client that wants them. It goes out with the loop's next round.
  /// A client that does not read loses events, and is told how many: {"event":"lost","count":N}.
  void publish(Feed feed, const std::string& line);
  /// Of all clients so far.
  uint64_t lost_events() const { return all_lost_events_; }
  size_t subscriber_count() const;

 private:
  struct Client {
    io::FileDescriptor fd;
    std::string input, output;
    Subscriptions subscriptions;
    uint64_t lost_events = 0;
  };
  void accept_client();
  void on_ready(int fd, io::Readiness readiness);
  bool read_lines(Client& client);
  bool flush(Client& client);
  std::string answer(const std::string& line, Subscriptions& subscriptions) const;

  io::EventLoop& loop_;
  Handler handler_;
  std::string path_;
  io::FileDescriptor listener_;
  std::unordered_map<int, std::unique_ptr<Client>> clients_;
  uint64_t all_lost_events_ = 0;
};

}  // namespace braid::service
