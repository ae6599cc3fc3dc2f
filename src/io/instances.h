// The Braids that run in one network namespace, so that they share it: each has a number, a block of ports
// and tables of its own. A file for each, locked for as long as the process lives: the lock, which the kernel
// lets go even after kill -9, is what tells a running instance from the remains of one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/file_descriptor.h"
#include "io/setup_error.h"

namespace braid::io {

/// What an instance's file says.
struct InstanceRecord {
  int number = 0;
  uint16_t first_port = 0, last_port = 0;
  /// Those that were not reserved before.
  std::string reserved_ports;
};

/// The directory of the instances: /run/braid/net-N, where N is the namespace's number; below
/// $XDG_RUNTIME_DIR or /tmp where /run is not ours to write.
class InstanceDirectory {
 public:
  static constexpr int kMaxInstances = 32;

  static Setup<InstanceDirectory> open();

  /// Waits for other Braids' changes to the machine to be complete, and keeps others from making any until
  /// the returned descriptor is closed. All that follows is done under this lock.
  FileDescriptor lock() const;

  /// Files nobody holds, other than `own`: their processes are gone. Each is removed once it is undone.
  std::vector<InstanceRecord> dead() const;
  std::vector<InstanceRecord> live() const;
  /// Takes the first free number; the descriptor holds it.
  Setup<FileDescriptor> claim(InstanceRecord& record) const;
  void update(const FileDescriptor& held, const InstanceRecord& record) const;
  void remove(int number) const;

  /// The last one out, still under the lock: the directory goes.
  void remove_all() const;

  std::string path_of(const std::string& file) const { return path_ + "/" + file; }
  /// Whether what the directory says is from before the machine was last started: nothing is left to undo.
  bool is_from_this_boot() const;
  void mark_this_boot() const;

 private:
  explicit InstanceDirectory(std::string path) : path_(std::move(path)) {}
  std::vector<InstanceRecord> scan(bool want_live) const;
  std::string instance_path(int number) const;
  std::string path_;
};

/// A whole small file; nothing if it cannot be read.
std::optional<std::string> read_file(const std::string& path);
/// Replaces the file in one step.
bool write_file(const std::string& path, const std::string& content);

}  // namespace braid::io
