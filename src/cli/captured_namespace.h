// `braid run --capture`: a network namespace whose only way out is Braid.
#pragma once

#include <string>
#include <tl/expected.hpp>

namespace braid::cli {

/// The calling process is in such a namespace from now on, which the daemon at `socket_path` serves as long
/// as this process or a descendant lives. Root, or CAP_SYS_ADMIN; else in a user namespace in which the
/// process stays the user that it is. Single-threaded. The error is for people.
tl::expected<void, std::string> enter_captured_namespace(const std::string& socket_path,
                                                         const std::string& program);

}  // namespace braid::cli
