// Where `braid run --capture` hands its namespaces' devices over. One connection, one capture.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "io/live_host.h"
#include "io/network.h"
#include "io/setup_error.h"
#include "service/capture/capture_session.h"

namespace braid::service {

class CaptureServer {
 public:
  /// For a program of a user: where its connections to a destination go.
  using RouteChooser = std::function<CaptureRoute(const std::string& program, uint32_t uid,
                                                  const wire::Endpoint& destination)>;
  struct Settings {
    bool kernel_fallback = true;
    RouteChooser choose_route{};
  };
  /// `live` and `network` (may be null) outlive it.
  CaptureServer(io::LiveHost& live, io::Network* network, Settings settings);
  ~CaptureServer();
  CaptureServer(const CaptureServer&) = delete;
  CaptureServer& operator=(const CaptureServer&) = delete;

  io::Setup<void> listen(const std::string& path);
  size_t capture_count() const { return captures_.size(); }
  /// Nothing is captured, and nothing that was is still to be delivered.
  bool is_idle() const { return captures_.empty(); }

 private:
  struct Capture {
    io::FileDescriptor channel;
    uint32_t uid = 0;
    std::unique_ptr<CaptureSession> session;  // once it has said what it wants
  };
  void accept_one();
  bool may_have_another(uint32_t uid) const;
  void on_ready(int fd);
  std::string begin(Capture& capture);
  void end(int fd, Time until);

  io::LiveHost& live_;
  io::Network* network_;
  Settings settings_;
  std::string path_;
  io::FileDescriptor listener_;
  std::unordered_map<int, Capture> captures_;
};

}  // namespace braid::service
