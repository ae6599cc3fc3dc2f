// What the terminal can do, and is: its size, whether it has colour, whether it takes UTF-8.
#pragma once

#include <termios.h>

#include <optional>

namespace braid::cli {

struct TerminalSize {
  int columns = 80, rows = 24;
  bool operator==(const TerminalSize&) const = default;
};
/// Of the terminal behind standard output; nothing if there is none.
std::optional<TerminalSize> terminal_size();

/// Standard output is a terminal that has colour, and the user has nothing against it (NO_COLOR, TERM=dumb).
bool has_colour();
/// The locale's: block characters may be used.
bool has_utf8();

/// While it lives: keys come at once and unseen, the cursor is hidden, and the screen is the alternate one.
class FullScreen {
 public:
  FullScreen();
  ~FullScreen();
  FullScreen(const FullScreen&) = delete;
  FullScreen& operator=(const FullScreen&) = delete;

 private:
  termios before_{};
  bool is_changed_ = false;
};

}  // namespace braid::cli
