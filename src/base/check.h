// BRAID_CHECK: for our own bugs only; it stays on in release. What a peer or a caller can cause is never a
// CHECK.
#pragma once

#include <string_view>

namespace braid {

/// Prints where and what, then aborts.
[[noreturn]] void check_failed(const char* file, int line, std::string_view what);

}  // namespace braid

#define BRAID_CHECK(condition)                               \
  do {                                                       \
    if (!(condition)) [[unlikely]]                           \
      ::braid::check_failed(__FILE__, __LINE__, #condition); \
  } while (false)
