// A program that the laboratory started.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

#include "io/file_descriptor.h"

namespace braid::lab {

class Child {
 public:
  struct Options {
    std::vector<std::string> command;
    std::vector<std::pair<std::string, std::string>> environment;  // beside our own
    bool has_terminal = false;  // our standard streams are its own; else pipes to us, both outputs in one
    std::string log_path;       // where its standard error goes instead
  };
  static tl::expected<std::unique_ptr<Child>, std::string> start(const Options& options);
  /// Ends it, with SIGKILL if it does not heed SIGTERM within two seconds.
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  /// Readable when it has ended.
  int end_descriptor() const { return pidfd_.get(); }
  /// What it writes; -1 with a terminal. Does not block.
  int output_descriptor() const { return output_.get(); }
  /// What is there of it now; nothing: that was the last.
  std::optional<std::string> read_output();
  void write_input(const std::string& text);
  /// 128 and the signal's number if a signal ended it; nothing: it runs.
  std::optional<int> exit_status();
  void terminate();

 private:
  Child() = default;
  pid_t pid_ = -1;
  io::FileDescriptor pidfd_, input_, output_;
  std::optional<int> exit_status_;
};

}  // namespace braid::lab
