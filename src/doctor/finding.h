// What `braid doctor` says: one finding a thing it looked at, with what follows from it and what to do.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace braid::doctor {

enum class Severity : uint8_t {
  kFine,
  kNote,     // good to know; nothing has to be done
  kWarning,  // Braid runs, and not as well as it could
  kBlocks,   // Braid does not run, or nothing comes through
};
constexpr std::string_view to_string(Severity severity) {
  constexpr std::string_view kNames[] = {"fine", "note", "warning", "blocks"};
  return kNames[static_cast<size_t>(severity)];
}

struct Finding {
  Severity severity = Severity::kFine;
  std::string check;        // a name for programs: "tun", "firewall"
  std::string what;         // what is so
  std::string consequence;  // what follows for Braid; empty when fine
  std::string remedy;       // a command, or several lines of them; empty: there is none, or none is needed
};
using Findings = std::vector<Finding>;

inline Severity worst_of(const Findings& findings) {
  Severity worst = Severity::kFine;
  for (const Finding& finding : findings) worst = std::max(worst, finding.severity);
  return worst;
}

}  // namespace braid::doctor
