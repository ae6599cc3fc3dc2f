// Reading the members of a request of the control protocol.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <tl/expected.hpp>

namespace braid::service {

/// A whole number in a range; nothing, and an error, for anything else. Absent: `standard`.
tl::expected<int64_t, std::string> number(const nlohmann::json& request, const char* key, int64_t standard,
                                          int64_t least, int64_t most);

}  // namespace braid::service
