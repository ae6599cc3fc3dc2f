#include "io/setup_error.h"

#include <fmt/format.h>

#include <cstring>

namespace braid::io {

SetupError setup_error(const std::string& what, int error, const std::string& remedy) {
  std::string message = fmt::format("{}: {}.", what, std::strerror(error));
  if (!remedy.empty()) message += " " + remedy;
  return {std::move(message)};
}

}  // namespace braid::io
