// The network namespaces of a laboratory, "braid-PID-HOST", and the promise that they go with it.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "io/file_descriptor.h"

namespace braid::lab {

/// A process of its own removes the namespaces, ends what still runs in them, and removes `directory`, when
/// this object goes or this process ends, however it ends. Made before the process has threads.
class Namespaces {
 public:
  static tl::expected<Namespaces, std::string> make(const std::vector<std::string>& hosts,
                                                    const std::string& directory);
  Namespaces(Namespaces&& other) noexcept = default;
  Namespaces& operator=(Namespaces&&) = delete;
  ~Namespaces();

  /// Of the host of this position.
  const std::string& name(size_t host) const { return names_.at(host); }
  /// Runs `work` in a thread that lives in the host's namespace, to its end.
  void run_inside(size_t host, const std::function<void()>& work) const;

 private:
  Namespaces() = default;
  std::vector<std::string> names_;
  io::FileDescriptor lifeline_;  // its end tells the other process
  pid_t keeper_ = -1;
};

}  // namespace braid::lab
