#include "cli/plugin_option.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "plugin/plugins.h"

namespace braid::cli {

namespace {
constexpr std::string_view kOption = "--plugin";
}

CLI::Option* add_plugin_option(CLI::App& command, std::vector<std::string>& files) {
  return command
      .add_option(std::string(kOption), files,
                  "Load a scheduler or congestion control from there (again for more)")
      ->type_name("FILE.so")
      ->expected(1)
      ->take_all();
}

tl::expected<void, std::string> load_plugins(const std::vector<std::string>& words) {
  for (size_t i = 0; i < words.size(); ++i) {
    std::string file;
    if (words[i] == kOption && i + 1 < words.size()) file = words[++i];
    if (words[i].starts_with("--plugin=")) file = words[i].substr(kOption.size() + 1);
    if (file.empty()) continue;
    if (auto done = plugin::load(file); !done) return done;
  }
  return {};
}

CLI::Validator is_one_of(std::vector<std::string> (*names)()) {
  return CLI::Validator(
      [names](std::string& text) {
        const std::vector<std::string> all = names();
        if (std::ranges::count(all, text) > 0) return std::string();
        return fmt::format("{} not in {{{}}}", text, fmt::join(all, ","));
      },
      fmt::format("{{{}}}", fmt::join(names(), ",")));
}

}  // namespace braid::cli
