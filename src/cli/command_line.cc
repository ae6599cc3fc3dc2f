#include "cli/command_line.h"

namespace braid::cli {

namespace {
// Whether the next word belongs to this one.
bool takes_next_word(const std::string& word, const CLI::App& run) {
  if (word.find('=') != std::string::npos) return false;
  const CLI::Option* option = run.get_option_no_throw(word);
  return option != nullptr && option->get_items_expected_max() > 0;
}
}  // namespace

CommandLine split_command_line(const std::vector<std::string>& arguments, const CLI::App& run) {
  CommandLine result;
  size_t i = 0;
  if (arguments.empty() || arguments[0] != "run") {
    result.own = arguments;
    return result;
  }
  result.own.push_back(arguments[i++]);
  while (i < arguments.size() && arguments[i].size() > 1 && arguments[i][0] == '-' && arguments[i] != "--") {
    const bool has_value = takes_next_word(arguments[i], run);
    result.own.push_back(arguments[i++]);
    if (has_value && i < arguments.size()) result.own.push_back(arguments[i++]);
  }
  if (i < arguments.size() && arguments[i] == "--") ++i;
  result.command.assign(arguments.begin() + static_cast<ptrdiff_t>(i), arguments.end());
  return result;
}

}  // namespace braid::cli
