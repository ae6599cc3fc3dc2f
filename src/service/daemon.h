// The daemon: a live host below, applications above, until it is told to end. Used by `braid daemon`, and by
// `braid run` for the private one.
#pragma once

#include <string>

#include "service/config.h"

namespace braid::service {

struct DaemonOptions {
  Config config;
  /// The control socket; the applications' socket is this with ".app" appended.
  std::string socket_path;
  /// What SIGHUP reads anew; empty: SIGHUP ends the daemon, as it does any program.
  std::string config_path;
  /// One line goes there when the daemon serves ("ready\n") or cannot start ("error: ...\n"), then it is
  /// closed. -1: none.
  int ready_fd = -1;
  /// Private mode: the daemon ends when the other end of this pipe closes. -1: none.
  int lifeline_fd = -1;
};

/// Tells a service manager (io/service_manager.h) what becomes of it. Runs until SIGTERM, SIGINT, the control
/// command "stop" or the end of the lifeline. Returns the exit status: 0 after an orderly end, 1 when it
/// could not start (said on standard error and on ready_fd).
int run_daemon(const DaemonOptions& options);

}  // namespace braid::service
