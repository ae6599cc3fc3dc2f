// Plays a scenario: segments in, segments expected, socket calls, states.
#pragma once

#include <string>

#include "segments/language/script.h"

namespace braid::segments {

/// Nothing, or what did not hold: "file:line: what was written", then what came.
std::string run_script(const Script& script);
std::string run_script(const std::string& file);

}  // namespace braid::segments
