#include "segments/language/script.h"

#include <cctype>
#include <filesystem>
#include <fstream>

#include "segments/language/script_error.h"
#include "segments/language/words.h"

namespace braid::segments {

namespace {

std::string trimmed(std::string text) {
  if (const size_t comment = text.find('#'); comment != std::string::npos) text.resize(comment);
  const size_t first = text.find_first_not_of(" \t\r");
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

std::string take_word(std::string& text) {
  const size_t end = text.find_first_of(" \t");
  std::string word = text.substr(0, end);
  text = end == std::string::npos ? "" : trimmed(text.substr(end));
  return word;
}

bool is_time(const std::string& word) {
  return word == "*" || word.starts_with('+') ||
         (!word.empty() && std::isdigit(static_cast<unsigned char>(word[0])) != 0);
}

When parse_when(std::string word) {
  When when;
  if (word == "*") {
    when.kind = When::Kind::kAny;
    return when;
  }
  when.kind = When::Kind::kAbsolute;
  if (word.starts_with('+')) {
    when.kind = When::Kind::kRelative;
    word.erase(0, 1);
  }
  const size_t dots = word.find("..");
  when.from = to_duration(word.substr(0, dots));
  when.to = dots == std::string::npos ? when.from : to_duration(word.substr(dots + 2));
  return when;
}

Line parse_line(int number, const std::string& text) {
  Line line;
  line.number = number;
  line.text = text;
  std::string rest = text;
  std::string word = take_word(rest);
  if (is_time(word)) {
    line.when = parse_when(word);
    word = take_word(rest);
  }
  if (word == "path") {
    line.path = take_word(rest);
    word = take_word(rest);
  }
  if (word.empty()) throw ScriptError("something is missing at the end of the line");
  line.verb = word;
  line.rest = rest;
  return line;
}

/// "include NAME": the lines of scenes/NAME.scene beside the topics' directories.
std::string scene_of(const std::string& file, const std::string& name) {
  return (std::filesystem::path(file).parent_path().parent_path() / "scenes" / (name + ".scene")).string();
}

void read_lines(const std::string& file, bool is_scene, Script& script) {
  std::ifstream in(file);
  if (!in) throw ScriptError(file + ": can't be read");
  bool is_body = is_scene;
  std::string text;
  for (int number = 1; std::getline(in, text); ++number) {
    text = trimmed(text);
    if (text.empty()) continue;
    if (text.find_first_not_of('-') == std::string::npos && text.size() >= 3) {
      is_body = true;
      continue;
    }
    try {
      Line line = parse_line(number, text);
      line.file = file;
      if (is_body && line.verb == "include") {
        if (is_scene) throw ScriptError("a scene includes no other");
        read_lines(scene_of(file, line.rest), true, script);
      } else {
        (is_body ? script.lines : script.settings).push_back(std::move(line));
      }
    } catch (const ScriptError& error) {
      const std::string what = error.what();
      if (what.find(".scene:") != std::string::npos) throw;
      throw ScriptError(file + ":" + std::to_string(number) + ": " + text + "\n    " + what);
    }
  }
  if (!is_body) throw ScriptError(file + ": no line of dashes after the settings");
}

}  // namespace

Script read_script(const std::string& file) {
  Script script;
  script.file = file;
  read_lines(file, false, script);
  return script;
}

}  // namespace braid::segments
