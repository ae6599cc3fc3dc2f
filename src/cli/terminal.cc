#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace braid::cli {

namespace {
// ECMA-48 and xterm's private modes, which every terminal since has.
constexpr std::string_view kEnter = "\x1b[?1049h\x1b[?25l\x1b[2J";
constexpr std::string_view kLeave = "\x1b[0m\x1b[?25h\x1b[?1049l";

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}
}  // namespace

std::optional<TerminalSize> terminal_size() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) return {};
  return TerminalSize{size.ws_col, size.ws_row};
}

bool has_colour() {
  const std::string_view terminal = variable("TERM");
  return isatty(STDOUT_FILENO) == 1 && variable("NO_COLOR").empty() && !terminal.empty() &&
         terminal != "dumb";
}

bool has_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const std::string_view locale = variable(name);
    if (locale.empty()) continue;  // the first that is set counts
    return locale.find("UTF-8") != std::string_view::npos || locale.find("utf8") != std::string_view::npos;
  }
  return false;
}

FullScreen::FullScreen() {
  if (tcgetattr(STDIN_FILENO, &before_) == 0) {
    termios raw = before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    is_changed_ = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
  }
  std::fwrite(kEnter.data(), 1, kEnter.size(), stdout);
  std::fflush(stdout);
}

FullScreen::~FullScreen() {
  std::fwrite(kLeave.data(), 1, kLeave.size(), stdout);
  std::fflush(stdout);
  if (is_changed_) tcsetattr(STDIN_FILENO, TCSANOW, &before_);
}

}  // namespace braid::cli
