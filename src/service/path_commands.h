// What a program may tell the daemon about the paths of one connection: the control protocol's "pm".
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <tl/expected.hpp>

#include "host/host.h"

namespace braid::service {

/// The request's "action" is one of announce, remove, open, close, set (control.h has their members). The
/// error is for people.
tl::expected<nlohmann::json, std::string> run_path_command(host::Host& host, const nlohmann::json& request,
                                                           Time now);

}  // namespace braid::service
