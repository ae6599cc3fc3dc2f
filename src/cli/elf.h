// Whether a program can be reached by a preloaded library at all.
#pragma once

#include <string>

namespace braid::cli {

enum class Preload {
  kWorks,
  kStatic,      // no dynamic loader
  kGo,          // Go makes its system calls itself, with a dynamic loader too
  kPrivileged,  // set-user-ID, set-group-ID or with file capabilities: the loader ignores LD_PRELOAD
  kUnknown,     // not found, not readable, or a script
};

/// `program` as a shell would find it (PATH).
Preload preload_of(const std::string& program);
/// Where PATH leads; empty if nowhere.
std::string find_program(const std::string& program);

}  // namespace braid::cli
