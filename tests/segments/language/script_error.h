// What a scenario complains of: always with the line that did not hold.
#pragma once

#include <stdexcept>
#include <string>

namespace braid::segments {

/// Thrown by every part of the interpreter; Runner adds file and line.
class ScriptError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace braid::segments
