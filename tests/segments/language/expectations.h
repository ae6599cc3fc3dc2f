// What a scenario says about the engine's state.
#pragma once

#include <string>

#include "segments/language/calls.h"
#include "segments/language/script.h"
#include "segments/language/stage.h"

namespace braid::segments {

/// Whether the verb is that of a statement about the state.
bool is_expectation(const std::string& verb);
/// Holds the line's statement against the engine. False: it is none.
bool expect(Stage& stage, const Application& application, const Line& line);

}  // namespace braid::segments
