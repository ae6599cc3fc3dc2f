// What a service manager (systemd) is told of a daemon's life: sd_notify(3)'s protocol, datagrams of
// NAME=VALUE lines to the socket that $NOTIFY_SOCKET names. Without that variable nothing is said.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/time.h"
#include "io/file_descriptor.h"

namespace braid::io {

class ServiceManager {
 public:
  /// Nobody to tell.
  ServiceManager() = default;
  /// As the environment says. Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of it, so that programs
  /// started from here don't speak in the daemon's name. Call before other threads start.
  static ServiceManager from_environment();

  bool is_present() const { return static_cast<bool>(fd_); }

  /// Serves now. `status`: one line for `systemctl status`.
  void ready(std::string_view status);
  void status(std::string_view status);
  /// Before reading the configuration anew; ready() ends it.
  void reloading();
  void stopping();
  /// Alive: owed once in watchdog_interval(), or the manager takes the daemon for hung and starts it anew.
  void alive();
  /// Half of what the manager allows, as sd_watchdog_enabled(3) recommends; nothing: no watchdog.
  std::optional<Duration> watchdog_interval() const { return watchdog_interval_; }

 private:
  void send(const std::string& lines);

  FileDescriptor fd_;
  std::string address_;  // as sockaddr_un has it: a path, or a name after a zero octet
  std::optional<Duration> watchdog_interval_;
};

/// Whether standard error goes to the journal ($JOURNAL_STREAM names it): then a line may begin with its
/// level, "<4>" for a warning (sd-daemon(3)), and times are the journal's to note.
bool is_logging_to_journal();

}  // namespace braid::io
