#include "cli/plot.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

namespace braid::cli {

namespace {

/// A file that is gone when it is no longer needed.
class TemporaryFile {
 public:
  TemporaryFile() {
    const int fd = mkstemp(path_.data());
    if (fd >= 0) close(fd);
  }
  ~TemporaryFile() { unlink(path_.c_str()); }
  const std::string& path() const { return path_; }

 private:
  std::string path_ = "/tmp/braid-series-XXXXXX";
};

/// In the build tree and when installed they stand in ../share/braid, seen from the program.
std::filesystem::path script(const char* name) {
  std::error_code ignored;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", ignored);
  return program.parent_path().parent_path() / "share" / "braid" / name;
}

/// The script's arguments: a file with the CSV, then `words`.
std::optional<std::string> draw(const char* name, const std::string& csv, const std::string& picture,
                                const std::vector<std::string>& others) {
  if (auto wrong = refuse_picture(picture)) return wrong;
  const TemporaryFile numbers;
  std::ofstream(numbers.path()) << csv;
  std::vector<std::string> words = {"python3", script(name).string(), numbers.path(), picture};
  words.insert(words.end(), others.begin(), others.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  pid_t child = 0;
  // Debian's own interpreter, where its packages are; whatever else is called python3 may not have them.
  if (posix_spawn(&child, "/usr/bin/python3", nullptr, nullptr, arguments.data(), environ) != 0)
    return "pictures need python3 with matplotlib: apt install python3-matplotlib";
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return std::nullopt;
  return fmt::format("{} could not be drawn; if matplotlib is missing: apt install python3-matplotlib",
                     picture);
}

}  // namespace

std::optional<std::string> refuse_picture(const std::string& picture) {
  const std::string form = std::filesystem::path(picture).extension();
  if (form == ".svg" || form == ".png") return std::nullopt;
  return fmt::format("--plot {}: the name must end in .svg or .png", picture);
}

std::optional<std::string> draw_series(const std::string& csv, const std::string& picture,
                                       const std::string& title) {
  return draw("plot.py", csv, picture, {title});
}

std::optional<std::string> draw_sweep(const std::string& csv, size_t keys, const std::string& picture,
                                      const std::string& title) {
  return draw("plot_sweep.py", csv, picture, {std::to_string(keys), title});
}

}  // namespace braid::cli
