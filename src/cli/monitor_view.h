// `braid monitor`: what is on the screen, as a function of a snapshot and of what the user pressed so far.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cli/monitor_frame.h"
#include "cli/monitor_sample.h"

namespace braid::cli {

enum class SortKey : uint8_t { kRate, kIn, kOut, kRtt, kLost, kPaths, kAge, kName };
inline constexpr int kSortKeyCount = 8;
std::string_view to_string(SortKey key);

struct ViewState {
  SortKey sort = SortKey::kRate;
  bool is_reversed = false;
  bool shows_paths = true;        // of every connection; `toggled` are the exceptions
  std::set<std::string> toggled;  // keys of connections
  std::string selected;           // a connection's key; empty: none
  int scroll = 0;                 // lines of the list above the screen
  bool in_bytes = false;          // rates in octets a second, and not bits
  bool shows_events = true;
  bool is_paused = false, is_help = false;
  std::string filter;                // connections whose ends or token have it
  bool is_typing = false;            // the filter
  double interval_s = 1;             // between samples, as it was asked for
  std::string notice;                // in place of the keys, in the last line
  std::vector<std::string> overlay;  // of `why`; empty: none
  int overlay_scroll = 0;
};

/// Those that the filter leaves, in order.
std::vector<const ConnectionSample*> chosen(const Snapshot& snapshot, const ViewState& view);

/// Moves `view.scroll` so that what is selected is on the screen.
Frame render(const Snapshot& snapshot, ViewState& view, TerminalSize size, bool has_utf8);

enum class Key : uint8_t {
  kNone,
  kUp,
  kDown,
  kPageUp,
  kPageDown,
  kHome,
  kEnd,
  kEnter,
  kEscape,
  kBackspace,
  kCharacter
};
struct KeyPress {
  Key key = Key::kNone;
  char character = 0;
};
/// Takes one key press from the front of what the terminal sent. kNone: nothing (whole) is there.
KeyPress next_key(std::string& input);

enum class Wish : uint8_t { kNothing, kQuit, kWhy, kSample };
/// What the key changes in the view, and what it wants beyond that.
Wish on_key(const KeyPress& press, const Snapshot& snapshot, ViewState& view);

/// "0", "999", "30.1k", "480M", "1.2G".
std::string rate_text(double octets_per_s, bool in_bytes);

}  // namespace braid::cli
