// A scenario file, split into lines.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/time.h"

namespace braid::segments {

/// When something happens: `+0.2` after the line before, `1.5` after the start, `+0.2..0.3` between, `*`
/// whenever.
struct When {
  enum class Kind { kNow, kRelative, kAbsolute, kAny } kind = Kind::kNow;
  Duration from{0}, to{0};
};

struct Line {
  std::string file;  // the scenario's, or that of a scene it includes
  int number = 0;
  std::string text;  // as written, without the comment
  When when;
  std::string path = "1";
  std::string verb;  // "<", ">", or the first word
  std::string rest;
};

struct Script {
  std::string file;
  std::vector<Line> settings;  // before the line of dashes: what holds for the whole scenario
  std::vector<Line> lines;
};

/// ScriptError with file and line if it can't be read.
Script read_script(const std::string& file);

}  // namespace braid::segments
