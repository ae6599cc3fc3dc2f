// The application, as the script plays it.
#pragma once

#include <optional>
#include <string>

#include "segments/language/script.h"
#include "segments/language/stage.h"

namespace braid::segments {

class Application {
 public:
  explicit Application(Stage& stage) : stage_(stage) {}

  /// Does the line's call, and holds it to the result that the line gives. False: it is not a call.
  bool call(const Line& line);
  /// A new connection: what is sent and received counts from its beginning.
  void forget_streams() { sent_ = received_ = 0; }

  // ---- getters
  host::ConnectionId connection() const { return connection_; }
  host::ListenerId listener() const { return listener_; }

 private:
  void connect(const std::string& rest, const std::string& path);
  void listen(const std::string& rest);
  void accept(const std::string& rest);
  void send(const std::string& rest);
  void receive(const std::string& rest);
  void close(const std::string& verb);
  void set(const std::string& rest);
  void endpoint(const std::string& rest);
  void interface(const std::string& rest);
  mptcp::Connection& open();
  uint8_t index_of(const std::string& path);

  Stage& stage_;
  host::ConnectionId connection_ = host::ConnectionId::kNone;
  host::ListenerId listener_ = host::ListenerId::kNone;
  uint64_t sent_ = 0, received_ = 0;  // octets of the stream
};

}  // namespace braid::segments
