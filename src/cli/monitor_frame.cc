#include "cli/monitor_frame.h"

#include <fmt/format.h>

#include <algorithm>

namespace braid::cli {

namespace {

/// Of well-formed UTF-8; what is not becomes '?'.
std::u32string decode(std::string_view text) {
  std::u32string out;
  for (size_t i = 0; i < text.size();) {
    const auto first = static_cast<unsigned char>(text[i++]);
    const int more = first < 0x80 ? 0 : first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : -1;
    if (more == 0) {
      out.push_back(first < 0x20 || first == 0x7f ? U'?' : first);  // nothing may steer the terminal
      continue;
    }
    if (more < 0 || i + static_cast<size_t>(more) > text.size()) {
      out.push_back(U'?');
      continue;
    }
    char32_t character = first & (0x3fu >> more);
    for (int k = 0; k < more; ++k)
      character = character << 6 | (static_cast<unsigned char>(text[i++]) & 0x3fu);
    out.push_back(character < 0xa0 ? U'?' : character);
  }
  return out;
}

void encode(char32_t c, std::string& out) {
  if (c < 0x80) {
    out.push_back(static_cast<char>(c));
  } else if (c < 0x800) {
    out.push_back(static_cast<char>(0xc0 | c >> 6));
    out.push_back(static_cast<char>(0x80 | (c & 0x3f)));
  } else if (c < 0x10000) {
    out.push_back(static_cast<char>(0xe0 | c >> 12));
    out.push_back(static_cast<char>(0x80 | (c >> 6 & 0x3f)));
    out.push_back(static_cast<char>(0x80 | (c & 0x3f)));
  } else {
    out.push_back(static_cast<char>(0xf0 | c >> 18));
    out.push_back(static_cast<char>(0x80 | (c >> 12 & 0x3f)));
    out.push_back(static_cast<char>(0x80 | (c >> 6 & 0x3f)));
    out.push_back(static_cast<char>(0x80 | (c & 0x3f)));
  }
}

/// Select Graphic Rendition. Without colour, bold and reverse still tell what is a title and what is
/// selected.
std::string_view rendition(Style style, bool has_colour) {
  switch (style) {
    case Style::kPlain:
      return "\x1b[0m";
    case Style::kTitle:
    case Style::kSelected:
      return "\x1b[0;7m";
    case Style::kHeading:
      return "\x1b[0;1m";
    case Style::kGood:
      return has_colour ? "\x1b[0;32m" : "\x1b[0m";
    case Style::kWarn:
      return has_colour ? "\x1b[0;33m" : "\x1b[0m";
    case Style::kBad:
      return has_colour ? "\x1b[0;1;31m" : "\x1b[0;1m";
    case Style::kDim:
      return has_colour ? "\x1b[0;2m" : "\x1b[0m";
  }
  return "";
}

}  // namespace

Frame::Frame(TerminalSize size)
    : size_(size), cells_(static_cast<size_t>(std::max(size.columns, 0) * std::max(size.rows, 0))) {}

int Frame::put(int row, int column, std::string_view utf8, Style style, int width) {
  if (row < 0 || row >= size_.rows || column < 0) return column;
  std::u32string text = decode(utf8);
  const int room = std::min(width, size_.columns - column);
  if (room <= 0) return column;
  if (static_cast<int>(text.size()) > room) {
    const bool is_ascii = std::ranges::all_of(text, [](char32_t c) { return c < 0x80; });
    text.resize(static_cast<size_t>(room));
    text.back() = is_ascii ? U'~' : U'…';
  }
  for (const char32_t character : text) at(row, column++) = {character, style};
  return column;
}

void Frame::put_right(int row, int end, std::string_view utf8, Style style) {
  const auto width = static_cast<int>(decode(utf8).size());
  put(row, std::max(end - width, 0), utf8, style);
}

void Frame::paint(int row, Style style) {
  if (row < 0 || row >= size_.rows) return;
  for (int column = 0; column < size_.columns; ++column) at(row, column).style = style;
}

std::string Frame::to_text() const {
  std::string out;
  for (int row = 0; row < size_.rows; ++row) {
    int end = size_.columns;
    while (end > 0 && at(row, end - 1).character == U' ') --end;
    for (int column = 0; column < end; ++column) encode(at(row, column).character, out);
    out.push_back('\n');
  }
  return out;
}

std::string Frame::to_terminal(const Frame* previous, bool has_colour) const {
  const bool is_fresh = previous == nullptr || previous->size_ != size_;
  std::string out = is_fresh ? "\x1b[0m\x1b[2J" : "";
  for (int row = 0; row < size_.rows; ++row) {
    const Cell* begin = &at(row, 0);
    if (!is_fresh && std::equal(begin, begin + size_.columns, &previous->at(row, 0))) continue;
    out += fmt::format("\x1b[{};1H", row + 1);
    Style style = Style::kPlain;
    out += rendition(style, has_colour);
    for (int column = 0; column < size_.columns; ++column) {
      const Cell& cell = at(row, column);
      if (cell.style != style) out += rendition(style = cell.style, has_colour);
      encode(cell.character, out);
    }
    if (style != Style::kPlain) out += rendition(Style::kPlain, has_colour);
  }
  return out;
}

}  // namespace braid::cli
