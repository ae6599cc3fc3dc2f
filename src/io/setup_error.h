// What could not be set up, why, and what to do about it: for people, before any traffic flows.
#pragma once

#include <string>
#include <tl/expected.hpp>

namespace braid::io {

struct SetupError {
  std::string message;  // whole sentences; may have several lines
};

template <class T>
using Setup = tl::expected<T, SetupError>;

/// "WHAT: strerror(error). REMEDY"
SetupError setup_error(const std::string& what, int error, const std::string& remedy = "");

}  // namespace braid::io
