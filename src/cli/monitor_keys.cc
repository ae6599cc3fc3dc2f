// Keys of `braid monitor`.
#include <algorithm>
#include <array>

#include "cli/monitor_view.h"

namespace braid::cli {

namespace {

constexpr double kShortestInterval_s = 0.1, kLongestInterval_s = 60;
constexpr int kPage = 10;
constexpr size_t kLongestFilter = 64;

struct Sequence {
  std::string_view bytes;
  Key key;
};
constexpr std::array kSequences = {
    Sequence{"\x1b[A", Key::kUp},   Sequence{"\x1bOA", Key::kUp},      Sequence{"\x1b[B", Key::kDown},
    Sequence{"\x1bOB", Key::kDown}, Sequence{"\x1b[5~", Key::kPageUp}, Sequence{"\x1b[6~", Key::kPageDown},
    Sequence{"\x1b[H", Key::kHome}, Sequence{"\x1b[1~", Key::kHome},   Sequence{"\x1bOH", Key::kHome},
    Sequence{"\x1b[F", Key::kEnd},  Sequence{"\x1b[4~", Key::kEnd},    Sequence{"\x1bOF", Key::kEnd},
};

void select(const Snapshot& snapshot, ViewState& view, int by) {
  const auto all = chosen(snapshot, view);
  if (all.empty()) return;
  const auto found = std::ranges::find_if(all, [&](const auto* c) { return c->key() == view.selected; });
  const auto last = static_cast<int>(all.size()) - 1;
  const int from = found == all.end() ? (by > 0 ? -1 : last + 1) : static_cast<int>(found - all.begin());
  view.selected = all[static_cast<size_t>(std::clamp(from + by, 0, last))]->key();
}

void move(const Snapshot& snapshot, ViewState& view, int by) {
  if (!view.overlay.empty())
    view.overlay_scroll =
        std::clamp(view.overlay_scroll + by, 0, std::max(static_cast<int>(view.overlay.size()) - 1, 0));
  else
    select(snapshot, view, by);
}

Wish on_filter_key(const KeyPress& press, ViewState& view) {
  if (press.key == Key::kEnter) view.is_typing = false;
  if (press.key == Key::kEscape) {
    view.is_typing = false;
    view.filter.clear();
  }
  if (press.key == Key::kBackspace && !view.filter.empty()) view.filter.pop_back();
  if (press.key == Key::kCharacter && view.filter.size() < kLongestFilter)
    view.filter.push_back(press.character);
  return Wish::kNothing;
}

void sort_by(ViewState& view, int step) {
  view.sort = static_cast<SortKey>((static_cast<int>(view.sort) + step + kSortKeyCount) % kSortKeyCount);
  view.scroll = 0;
}

void toggle_selected(ViewState& view) {
  if (view.selected.empty()) return;
  if (view.toggled.erase(view.selected) == 0) view.toggled.insert(view.selected);
}

Wish on_character(char character, ViewState& view) {
  switch (character) {
    case 'q':
      return Wish::kQuit;
    case '?':
    case 'h':
      view.is_help = true;
      break;
    case 's':
      sort_by(view, 1);
      break;
    case 'S':
      sort_by(view, -1);
      break;
    case 'r':
      view.is_reversed = !view.is_reversed;
      break;
    case 'e':
      view.shows_paths = !view.shows_paths;
      view.toggled.clear();
      break;
    case ' ':
      toggle_selected(view);
      break;
    case 'b':
      view.in_bytes = !view.in_bytes;
      break;
    case 'v':
      view.shows_events = !view.shows_events;
      break;
    case 'p':
      view.is_paused = !view.is_paused;
      break;
    case '/':
      view.is_typing = true;
      break;
    case '+':
      view.interval_s = std::min(view.interval_s * 2, kLongestInterval_s);
      break;
    case '-':
      view.interval_s = std::max(view.interval_s / 2, kShortestInterval_s);
      return Wish::kSample;
    case 'w':
      return view.selected.empty() ? Wish::kNothing : Wish::kWhy;
    default:
      break;
  }
  return Wish::kNothing;
}

}  // namespace

KeyPress next_key(std::string& input) {
  if (input.empty()) return {};
  for (const Sequence& sequence : kSequences) {
    if (!input.starts_with(sequence.bytes)) continue;
    input.erase(0, sequence.bytes.size());
    return {sequence.key};
  }
  const char first = input.front();
  if (first == '\x1b') {
    // An unknown sequence is passed over; an escape alone is one.
    size_t length = 1;
    if (input.size() > 1 && (input[1] == '[' || input[1] == 'O')) {
      length = 2;
      while (length < input.size() && !(input[length] >= '@' && input[length] <= '~')) ++length;
      length = std::min(length + 1, input.size());
    }
    input.erase(0, length);
    return {length == 1 ? Key::kEscape : Key::kCharacter};
  }
  input.erase(0, 1);
  if (first == '\r' || first == '\n') return {Key::kEnter};
  if (first == '\x7f' || first == '\b') return {Key::kBackspace};
  return {Key::kCharacter, first >= ' ' && first <= '~' ? first : '\0'};
}

Wish on_key(const KeyPress& press, const Snapshot& snapshot, ViewState& view) {
  if (press.key == Key::kNone) return Wish::kNothing;
  view.notice.clear();
  if (view.is_help) {
    view.is_help = false;
    return press.character == 'q' ? Wish::kQuit : Wish::kNothing;
  }
  if (view.is_typing) return on_filter_key(press, view);
  switch (press.key) {
    case Key::kUp:
      move(snapshot, view, -1);
      return Wish::kNothing;
    case Key::kDown:
      move(snapshot, view, 1);
      return Wish::kNothing;
    case Key::kPageUp:
      move(snapshot, view, -kPage);
      return Wish::kNothing;
    case Key::kPageDown:
      move(snapshot, view, kPage);
      return Wish::kNothing;
    case Key::kHome:
      move(snapshot, view, -1'000'000);
      return Wish::kNothing;
    case Key::kEnd:
      move(snapshot, view, 1'000'000);
      return Wish::kNothing;
    default:
      break;
  }
  if (!view.overlay.empty()) {
    if (press.character == 'j' || press.character == 'k') {
      move(snapshot, view, press.character == 'j' ? 1 : -1);
      return Wish::kNothing;
    }
    view.overlay.clear();
    return press.character == 'q' ? Wish::kQuit : Wish::kNothing;
  }
  if (press.key == Key::kEnter) return view.selected.empty() ? Wish::kNothing : Wish::kWhy;
  if (press.key == Key::kEscape) {
    view.selected.clear();
    view.filter.clear();
    return Wish::kNothing;
  }
  if (press.key != Key::kCharacter) return Wish::kNothing;
  if (press.character == 'j' || press.character == 'k') {
    move(snapshot, view, press.character == 'j' ? 1 : -1);
    return Wish::kNothing;
  }
  return on_character(press.character, view);
}

}  // namespace braid::cli
