// What a scenario says about the engine's state.
#pragma once

#include "segments/language/calls.h"
#include "segments/language/script.h"
#include "segments/language/stage.h"

namespace braid::segments {

/// Holds the line's statement against the engine. False: it is none.
bool expect(Stage& stage, const Application& application, const Line& line);

}  // namespace braid::segments
