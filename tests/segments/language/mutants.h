// Scenarios with one expectation made wrong: each has to fail, or the expectation says nothing.
#pragma once

#include <string>
#include <vector>

#include "segments/language/script.h"

namespace braid::segments {

struct Mutant {
  Script script;
  std::string what;  // "file:line: what it says now"
};

/// One for each number of an expected segment, and for each value of a statement about the state. Scenes are
/// left as they are.
std::vector<Mutant> mutants_of(const Script& script);

}  // namespace braid::segments
