// [routes.ROUTER]: entries of routers' tables that the file gives.
#pragma once

#include "config/toml_reader.h"
#include "scenario/scenario.h"

namespace braid::scenario {

/// When hosts, routers and links are known. A null table has no routes.
void read_routes(const toml::table* routes, config::TomlErrors& errors, Scenario& scenario);

}  // namespace braid::scenario
