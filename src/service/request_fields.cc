#include "service/request_fields.h"

#include <fmt/format.h>

namespace braid::service {

tl::expected<int64_t, std::string> number(const nlohmann::json& request, const char* key, int64_t standard,
                                          int64_t least, int64_t most) {
  const auto found = request.find(key);
  if (found == request.end()) return standard;
  if (!found->is_number_integer()) return tl::unexpected(fmt::format("\"{}\" must be a whole number", key));
  const auto value = found->get<int64_t>();
  if (value < least || value > most) return tl::unexpected(fmt::format("\"{}\": {} to {}", key, least, most));
  return value;
}

}  // namespace braid::service
