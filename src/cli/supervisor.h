// A daemon and the process that watches over it: what it changed on the machine is undone even if it is
// killed or crashes, and it ends in an orderly way if its watcher is.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <functional>
#include <string>

#include "service/daemon.h"

namespace braid::cli {

/// Forks the daemon and waits for its end. `on_start` hears once how the start went: empty, or the error for
/// people. SIGTERM and SIGINT are passed on. Returns the daemon's exit status, or 128 and the number of the
/// signal that killed it, after which what it left behind has been undone.
int supervise_daemon(const service::DaemonOptions& options,
                     const std::function<void(const std::string& error)>& on_start);

/// Undoes what killed daemons left in this network namespace, the sockets at `socket_path` too if nobody
/// serves there. What could not be done, for people; empty if all was.
std::string clean_up_after_killed_daemons(const std::string& socket_path);

/// The process that serves the socket, as the kernel knows it: 0 if there is none. `type`: the control
/// socket's; the programs' one is a SOCK_SEQPACKET.
pid_t daemon_at(const std::string& socket_path, int type = SOCK_STREAM);

}  // namespace braid::cli
