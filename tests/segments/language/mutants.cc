#include "segments/language/mutants.h"

#include <cctype>

#include "segments/language/expectations.h"
#include "segments/language/words.h"

namespace braid::segments {

namespace {

bool is_word_end(char c) {
  return std::isspace(static_cast<unsigned char>(c)) != 0 || c == '=' || c == ',' || c == '>';
}

/// The text with its n-th number one larger; empty if it has no so many.
std::string with_other_number(const std::string& text, int n) {
  for (size_t at = 0; at < text.size();) {
    const size_t begin = at;
    while (at < text.size() && !is_word_end(text[at])) ++at;
    const std::string word = text.substr(begin, at - begin);
    if (!word.empty() && is_number(word) && n-- == 0)
      return text.substr(0, begin) + std::to_string(to_number(word) + 1) + text.substr(at);
    ++at;
  }
  return {};
}

}  // namespace

std::vector<Mutant> mutants_of(const Script& script) {
  std::vector<Mutant> mutants;
  const auto add = [&](size_t line, const std::string& rest) {
    Mutant mutant{script, {}};
    mutant.script.lines[line].rest = rest;
    const Line& changed = mutant.script.lines[line];
    mutant.what = changed.file + ":" + std::to_string(changed.number) + ": " + changed.verb + " " + rest;
    mutants.push_back(std::move(mutant));
  };
  for (size_t i = 0; i < script.lines.size(); ++i) {
    const Line& line = script.lines[i];
    if (line.file != script.file) continue;
    if (line.verb == ">") {
      for (int n = 0;; ++n) {
        const std::string other = with_other_number(line.rest, n);
        if (other.empty()) break;
        add(i, other);
      }
    } else if (is_expectation(line.verb) && line.verb != "no-event") {
      add(i, line.rest + "0");
    }
  }
  return mutants;
}

}  // namespace braid::segments
