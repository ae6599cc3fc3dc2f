#include "cli/plot.h"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

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

/// In the build tree and when installed it stands in ../share/braid, seen from the program.
std::filesystem::path script() {
  std::error_code ignored;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", ignored);
  return program.parent_path().parent_path() / "share" / "braid" / "plot.py";
}

}  // namespace

std::optional<std::string> draw_series(const std::string& csv, const std::string& picture,
                                       const std::string& title) {
  const std::string form = std::filesystem::path(picture).extension();
  if (form != ".svg" && form != ".png")
    return fmt::format("--plot {}: the name must end in .svg or .png", picture);
  const TemporaryFile series;
  std::ofstream(series.path()) << csv;
  std::string words[] = {"python3", script().string(), series.path(), picture, title};
  char* arguments[] = {words[0].data(), words[1].data(), words[2].data(),
                       words[3].data(), words[4].data(), nullptr};
  pid_t child = 0;
  // Debian's own interpreter, where its packages are; whatever else is called python3 may not have them.
  if (posix_spawn(&child, "/usr/bin/python3", nullptr, nullptr, arguments, environ) != 0)
    return "pictures need python3 with matplotlib: apt install python3-matplotlib";
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return std::nullopt;
  return fmt::format("{} could not be drawn; if matplotlib is missing: apt install python3-matplotlib",
                     picture);
}

}  // namespace braid::cli
