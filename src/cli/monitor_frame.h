// A screenful of cells: what `braid monitor` draws on, and how that reaches a terminal or a file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/terminal.h"

namespace braid::cli {

enum class Style : uint8_t { kPlain, kTitle, kHeading, kSelected, kGood, kWarn, kBad, kDim };

struct Cell {
  char32_t character = U' ';
  Style style = Style::kPlain;
  bool operator==(const Cell&) const = default;
};

class Frame {
 public:
  explicit Frame(TerminalSize size);
  TerminalSize size() const { return size_; }

  /// Text from there on, cut at `width` columns (an ellipsis stands for what is missing) and at the frame's
  /// edge. Every character is one column; ASCII and block characters only. Returns the column after it.
  int put(int row, int column, std::string_view utf8, Style style = Style::kPlain, int width = 1 << 16);
  /// The same, ending before the column `end`.
  void put_right(int row, int end, std::string_view utf8, Style style = Style::kPlain);
  /// The style of a whole row.
  void paint(int row, Style style);

  /// Lines without colour, blanks at their ends taken away.
  std::string to_text() const;
  /// What makes a terminal that shows `previous` (null: anything) show this.
  std::string to_terminal(const Frame* previous, bool has_colour) const;

 private:
  Cell& at(int row, int column) { return cells_[static_cast<size_t>(row * size_.columns + column)]; }
  const Cell& at(int row, int column) const {
    return cells_[static_cast<size_t>(row * size_.columns + column)];
  }
  TerminalSize size_;
  std::vector<Cell> cells_;
};

}  // namespace braid::cli
