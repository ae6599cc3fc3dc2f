// Loads plug-ins (include/braid/plugin.h) into the process's registries. Before any host is made, from the
// thread that makes them.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <vector>

namespace braid::plugin {

/// The error is ready for people. A file that is loaded already is not loaded again.
tl::expected<void, std::string> load(const std::string& file);

/// Those that are loaded, by absolute path, in order: for a program that is to load the same.
const std::vector<std::string>& loaded();

}  // namespace braid::plugin
