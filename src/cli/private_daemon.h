// A daemon for one command: started before it, gone after it, and nothing to set up.
#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "io/file_descriptor.h"
#include "service/config.h"

namespace braid::cli {

class PrivateDaemon {
 public:
  /// Forks it, and returns when it serves. The error is for people.
  static tl::expected<std::unique_ptr<PrivateDaemon>, std::string> start(const service::Config& config);
  /// Ends it and waits until it has cleaned up; but if programs that the command left behind (daemons) still
  /// hold the lifeline, it lives on until they end, and nobody waits.
  ~PrivateDaemon();
  PrivateDaemon(const PrivateDaemon&) = delete;
  PrivateDaemon& operator=(const PrivateDaemon&) = delete;

  const std::string& socket_path() const { return socket_path_; }
  /// For the command to inherit: while it or a descendant has it, the daemon lives.
  int lifeline() const { return lifeline_.get(); }

 private:
  PrivateDaemon() = default;
  std::string directory_, socket_path_;
  io::FileDescriptor lifeline_;         // the end for writing
  io::FileDescriptor lifeline_reader_;  // to see whether it is closed
  pid_t pid_ = -1;
};

}  // namespace braid::cli
