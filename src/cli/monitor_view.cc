#include "cli/monitor_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "cli/ss_format.h"
#include "cli/why_format.h"

namespace braid::cli {

namespace {

constexpr int kLeastRowsForAddresses = 14, kMostAddresses = 6;
constexpr int kLeastRowsForEvents = 16;
constexpr double kBadLoss = 0.01;

/// A column of the list: `least` is what all of the screen must have for it to be there.
enum class Column : uint8_t {
  kIn,
  kOut,
  kState,
  kRtt,
  kLost,
  kToken,
  kCwnd,
  kBar,
  kFlight,
  kSent,
  kReceived,
  kPid,
  kAge
};
struct ColumnSpec {
  Column column;
  std::string_view title;
  int width, least;
};
// In the order in which they stand; narrow screens have fewer.
constexpr std::array kColumns = {
    ColumnSpec{Column::kToken, "TOKEN", 8, 66}, ColumnSpec{Column::kState, "STATE", 7, 40},
    ColumnSpec{Column::kIn, "IN", 5, 0},        ColumnSpec{Column::kOut, "OUT", 5, 0},
    ColumnSpec{Column::kRtt, "RTT", 7, 52},     ColumnSpec{Column::kLost, "LOST", 5, 58},
    ColumnSpec{Column::kCwnd, "CWND", 6, 78},   ColumnSpec{Column::kFlight, "FLIGHT", 6, 118},
    ColumnSpec{Column::kSent, "SENT", 6, 132},  ColumnSpec{Column::kReceived, "RECVD", 6, 132},
    ColumnSpec{Column::kPid, "PID", 7, 150},    ColumnSpec{Column::kAge, "AGE", 7, 104},
    ColumnSpec{Column::kBar, "RATE", 8, 72},
};

std::string compact(std::string text) {
  std::erase(text, ' ');
  return text;
}
std::string size_text(uint64_t bytes) { return compact(format_bytes(bytes)); }
std::string rtt_text(double us) { return us <= 0 ? "-" : compact(format_duration_us(us)); }

std::string age_text(double s) {
  const auto whole = static_cast<int64_t>(s);
  if (whole < 60) return fmt::format("{}s", whole);
  if (whole < 3600) return fmt::format("{}m{:02}s", whole / 60, whole % 60);
  if (whole < 86400) return fmt::format("{}h{:02}m", whole / 3600, whole / 60 % 60);
  return fmt::format("{}d{:02}h", whole / 86400, whole / 3600 % 24);
}

std::string loss_text(const Traffic& traffic) {
  if (traffic.lost <= 0) return "-";
  const double percent = 100 * traffic.lost;
  return percent < 0.1 ? "<0.1%" : fmt::format("{:.{}f}%", percent, percent < 9.95 ? 1 : 0);
}

/// `width` columns that are full to `share`.
std::string bar(double share, int width, bool has_utf8) {
  share = std::clamp(share, 0.0, 1.0);
  const int eighths = static_cast<int>(std::lround(share * width * 8));
  if (!has_utf8) return std::string(static_cast<size_t>((eighths + 4) / 8), '#');
  static constexpr std::array<std::string_view, 8> kPart = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  std::string out;
  for (int i = 0; i < eighths / 8; ++i) out += "█";
  return out += kPart[static_cast<size_t>(eighths % 8)];
}

Style style_of_state(std::string_view state) {
  if (state == "silent") return Style::kBad;
  if (state == "backup" || state == "joining") return Style::kWarn;
  return state == "up" ? Style::kGood : Style::kPlain;
}

double sort_value(const ConnectionSample& c, SortKey key) {
  switch (key) {
    case SortKey::kRate:
      return c.traffic.both();
    case SortKey::kIn:
      return c.traffic.in;
    case SortKey::kOut:
      return c.traffic.out;
    case SortKey::kRtt:
      return c.rtt_us;
    case SortKey::kLost:
      return c.traffic.lost;
    case SortKey::kPaths:
      return static_cast<double>(c.paths.size());
    case SortKey::kAge:
      return c.age_s;
    case SortKey::kName:
      break;
  }
  return 0;
}

/// Draws one frame.
class Painter {
 public:
  Painter(const Snapshot& snapshot, ViewState& view, TerminalSize size, bool has_utf8)
      : snapshot_(snapshot), view_(view), frame_(size), has_utf8_(has_utf8), width_(size.columns) {
    for (const ColumnSpec& spec : kColumns)
      if (width_ >= spec.least) columns_.push_back(spec);
    int taken = 0;
    for (const ColumnSpec& spec : columns_) taken += spec.width + 1;
    name_width_ = std::max(width_ - taken, 8);
  }

  Frame paint() {
    const int rows = frame_.size().rows;
    int top = paint_header();
    if (view_.is_help) {
      paint_help(top);
      paint_footer(rows - 1);
      return std::move(frame_);
    }
    if (!view_.overlay.empty()) {
      paint_overlay(top, rows - 1);
      paint_footer(rows - 1);
      return std::move(frame_);
    }
    if (rows >= kLeastRowsForAddresses) top = paint_addresses(top);
    int bottom = rows - 1;
    if (view_.shows_events && rows >= kLeastRowsForEvents) bottom = paint_events(top, bottom);
    paint_connections(top, bottom);
    paint_footer(rows - 1);
    return std::move(frame_);
  }

 private:
  std::string rate(double octets) const { return rate_text(octets, view_.in_bytes); }
  std::string_view unit() const { return view_.in_bytes ? "B/s" : "bit/s"; }
  std::string_view arrow() const { return has_utf8_ ? "→" : ">"; }

  int paint_header() {
    const auto plain = std::ranges::count(snapshot_.connections, "TCP", &ConnectionSample::protocol);
    const auto multi = std::ranges::count(snapshot_.connections, "MPTCP", &ConnectionSample::protocol);
    const std::string clock = clock_text(snapshot_.time_unix_s) + " ";
    frame_.put(0, 0,
               fmt::format(" braid {}  up {}  {} connection{}: {} MPTCP, {} TCP", snapshot_.version,
                           age_text(snapshot_.uptime_s), snapshot_.connections.size(),
                           snapshot_.connections.size() == 1 ? "" : "s", multi, plain),
               Style::kTitle, width_ - static_cast<int>(clock.size()) - 1);
    frame_.put_right(0, width_, clock, Style::kTitle);
    frame_.paint(0, Style::kTitle);
    std::string line = fmt::format(" in {} {}  out {} {}", rate(snapshot_.traffic.in), unit(),
                                   rate(snapshot_.traffic.out), unit());
    if (snapshot_.traffic.lost > 0) line += fmt::format("  sent again {}", loss_text(snapshot_.traffic));
    if (snapshot_.interval_s <= 0) line += "  (rates with the next sample)";
    frame_.put(1, 0, line, Style::kHeading);
    std::string right =
        fmt::format("sort {}{}  every {:.3g} s ", to_string(view_.sort), view_.is_reversed ? " reversed" : "",
                    std::max(view_.interval_s, snapshot_.interval_s));
    if (!view_.filter.empty()) right = fmt::format("only \"{}\"  ", view_.filter) + right;
    if (view_.is_paused) right = "PAUSED  " + right;
    if (static_cast<int>(line.size() + right.size()) + 1 < width_)
      frame_.put_right(1, width_, right, view_.is_paused ? Style::kWarn : Style::kDim);
    return 2;
  }

  /// One line for each address of this host.
  int paint_addresses(int row) {
    constexpr int kName = 22, kNumbers = 40;
    const int bar_width = std::max((width_ - kName - kNumbers) / 2 - 1, 0);
    const int most = std::clamp(frame_.size().rows / 6, 2, kMostAddresses);
    double largest = 1;
    for (const AddressSample& a : snapshot_.addresses)
      largest = std::max({largest, a.traffic.in, a.traffic.out});
    frame_.put(row, 0, " ADDRESS", Style::kHeading, kName);
    const int in = kName, out = in + 6 + bar_width + 1, rest = out + 6 + bar_width + 1;
    frame_.put(row, in, "   IN", Style::kHeading);
    frame_.put(row, out, "  OUT", Style::kHeading);
    if (rest + 20 <= width_) frame_.put(row, rest, "    RTT   LOST  PATHS", Style::kHeading);
    ++row;
    int shown = 0;
    for (const AddressSample& a : snapshot_.addresses) {
      if (++shown > most) {
        frame_.put(row++, 1, fmt::format("and {} more", static_cast<int>(snapshot_.addresses.size()) - most),
                   Style::kDim);
        break;
      }
      frame_.put(row, 1, a.address, Style::kPlain, kName - 2);
      frame_.put_right(row, in + 5, rate(a.traffic.in));
      frame_.put(row, in + 6, bar(a.traffic.in / largest, bar_width, has_utf8_), Style::kGood, bar_width);
      frame_.put_right(row, out + 5, rate(a.traffic.out));
      frame_.put(row, out + 6, bar(a.traffic.out / largest, bar_width, has_utf8_), Style::kGood, bar_width);
      if (rest + 20 <= width_) {
        frame_.put_right(row, rest + 7, rtt_text(a.rtt_us));
        frame_.put_right(row, rest + 14, loss_text(a.traffic),
                         a.traffic.lost >= kBadLoss ? Style::kBad : Style::kPlain);
        std::string paths = fmt::format("{}", a.subflows);
        if (a.silent > 0) paths += fmt::format(" ({} silent)", a.silent);
        frame_.put(row, rest + 16, paths, a.silent > 0 ? Style::kBad : Style::kPlain);
      }
      ++row;
    }
    return row;
  }

  /// From the bottom up; returns the row where they begin.
  int paint_events(int top, int bottom) {
    const int room = std::clamp((bottom - top) / 3, 3, 16);
    std::vector<std::string> lines;
    for (auto event = snapshot_.events.rbegin(); event != snapshot_.events.rend(); ++event) {
      if (static_cast<int>(lines.size()) >= room - 1) break;
      const std::string text = wrap(*event, 9, width_ - 2);
      std::vector<std::string> pieces;
      for (size_t at = 0; at <= text.size();) {
        const size_t end = std::min(text.find('\n', at), text.size());
        pieces.push_back(text.substr(at, end - at));
        at = end + 1;
      }
      // Of the oldest on the screen, its beginning.
      const auto left = static_cast<size_t>(room - 1) - lines.size();
      if (pieces.size() > left) {
        pieces.resize(left);
        std::string& last = pieces.back();
        last.resize(std::min(last.size(), static_cast<size_t>(std::max(width_ - 6, 0))));
        last += " ...";
      }
      lines.insert(lines.begin(), pieces.begin(), pieces.end());
    }
    int row = bottom - room;
    frame_.put(row, 0, " EVENTS", Style::kHeading);
    if (lines.empty()) frame_.put(row + 1, 1, "none yet", Style::kDim);
    for (const std::string& line : lines) frame_.put(++row, 1, line);
    return bottom - room;
  }

  struct Line {
    const ConnectionSample* connection;
    const PathSample* path;  // null: the connection's own
  };

  bool shows_paths(const ConnectionSample& c) const {
    return view_.shows_paths != view_.toggled.contains(c.key());
  }

  void paint_connections(int top, int bottom) {
    paint_titles(top++);
    const auto all = chosen(snapshot_, view_);
    std::vector<Line> lines;
    int selected = -1;
    for (const ConnectionSample* c : all) {
      if (c->key() == view_.selected) selected = static_cast<int>(lines.size());
      lines.push_back({c, nullptr});
      if (shows_paths(*c))
        for (const PathSample& path : c->paths) lines.push_back({c, &path});
      largest_ = std::max(largest_, c->traffic.both());
    }
    const int count = static_cast<int>(lines.size());
    // The last line tells how much there is below.
    const int room = std::max(bottom - top - (count > bottom - top ? 1 : 0), 0);
    if (selected >= 0) {
      if (selected < view_.scroll) view_.scroll = selected;
      const int end = selected + 1 +
                      (shows_paths(*lines[static_cast<size_t>(selected)].connection)
                           ? static_cast<int>(lines[static_cast<size_t>(selected)].connection->paths.size())
                           : 0);
      if (end > view_.scroll + room) view_.scroll = std::min(selected, end - room);
    }
    view_.scroll = std::clamp(view_.scroll, 0, std::max(count - room, 0));
    if (all.empty())
      frame_.put(top, 1, view_.filter.empty() ? "no connections" : "no connection has that in it",
                 Style::kDim);
    for (int i = 0; i < room && view_.scroll + i < count; ++i) {
      const Line& line = lines[static_cast<size_t>(view_.scroll + i)];
      if (line.path == nullptr)
        paint_connection(top + i, *line.connection);
      else
        paint_path(top + i, *line.path);
    }
    if (count > view_.scroll + room && top + room < bottom)
      frame_.put(bottom - 1, 1, fmt::format("{} more lines", count - view_.scroll - room), Style::kDim);
  }

  void paint_titles(int row) {
    frame_.put(row, 0, " CONNECTION, PATHS", Style::kHeading, name_width_);
    int column = name_width_ + 1;
    for (const ColumnSpec& spec : columns_) {
      const bool is_left =
          spec.column == Column::kBar || spec.column == Column::kToken || spec.column == Column::kState;
      if (is_left)
        frame_.put(row, column, spec.title, Style::kHeading);
      else
        frame_.put_right(row, column + spec.width, spec.title, Style::kHeading);
      column += spec.width + 1;
    }
  }

  void paint_connection(int row, const ConnectionSample& c) {
    std::string name = fmt::format("{} {} {}", c.local, arrow(), c.remote);
    const int shown = static_cast<int>(c.local.size() + c.remote.size()) + 4;
    if (shown > name_width_) name = c.remote;
    frame_.put(row, 0, " " + name, Style::kHeading, name_width_);
    int column = name_width_ + 1;
    for (const ColumnSpec& spec : columns_) {
      const int end = column + spec.width;
      switch (spec.column) {
        case Column::kToken:
          frame_.put(row, column, c.token);
          break;
        case Column::kState:
          frame_.put(row, column, c.state == "ESTABLISHED" || c.protocol == "..." ? c.protocol : c.state,
                     c.protocol == "TCP" ? Style::kWarn : Style::kPlain, spec.width);
          break;
        case Column::kCwnd:
        case Column::kFlight:
          break;
        case Column::kPid:
          if (c.pid != 0) frame_.put_right(row, end, fmt::format("{}", c.pid));
          break;
        case Column::kAge:
          frame_.put_right(row, end, age_text(c.age_s));
          break;
        default:
          paint_traffic(row, column, spec, c.traffic, c.rtt_us);
      }
      column = end + 1;
    }
    if (c.key() == view_.selected) frame_.paint(row, Style::kSelected);
  }

  /// What there is room for: a path has no token, so its name goes on there.
  std::string name_of(const PathSample& p, int width) const {
    const auto bare = [](const std::string& endpoint) { return endpoint.substr(0, endpoint.rfind(':')); };
    const std::string whole = fmt::format("{} {} {}", p.local, arrow(), p.remote);
    const std::string addresses = fmt::format("{} {} {}", bare(p.local), arrow(), bare(p.remote));
    const int arrows = has_utf8_ ? 2 : 0;  // octets that are no columns
    for (const std::string& name : {whole, addresses})
      if (static_cast<int>(name.size()) - arrows <= width) return name;
    return static_cast<int>(p.local.size()) <= width ? p.local : bare(p.local);
  }

  void paint_path(int row, const PathSample& p) {
    const bool has_token = !columns_.empty() && columns_.front().column == Column::kToken;
    const int width = name_width_ + (has_token ? columns_.front().width + 1 : 0);
    frame_.put(row, 0, fmt::format("  {:>2} {}", p.index, name_of(p, width - 5)), style_of_state(p.state),
               width);
    int column = name_width_ + 1;
    for (const ColumnSpec& spec : columns_) {
      const int end = column + spec.width;
      switch (spec.column) {
        case Column::kState:
          frame_.put(row, column, p.state, style_of_state(p.state), spec.width);
          break;
        case Column::kCwnd:
          frame_.put_right(row, end, size_text(p.cwnd_bytes));
          break;
        case Column::kFlight:
          frame_.put_right(row, end, size_text(p.in_flight_bytes));
          break;
        case Column::kToken:
        case Column::kPid:
        case Column::kAge:
          break;
        default:
          paint_traffic(row, column, spec, p.traffic, p.rtt_us);
      }
      column = end + 1;
    }
  }

  void paint_traffic(int row, int column, const ColumnSpec& spec, const Traffic& traffic, double rtt_us) {
    const int end = column + spec.width;
    switch (spec.column) {
      case Column::kIn:
        return frame_.put_right(row, end, rate(traffic.in));
      case Column::kOut:
        return frame_.put_right(row, end, rate(traffic.out));
      case Column::kRtt:
        return frame_.put_right(row, end, rtt_text(rtt_us));
      case Column::kLost:
        return frame_.put_right(row, end, loss_text(traffic),
                                traffic.lost >= kBadLoss ? Style::kBad : Style::kPlain);
      case Column::kSent:
        return frame_.put_right(row, end, size_text(traffic.sent));
      case Column::kReceived:
        return frame_.put_right(row, end, size_text(traffic.received));
      case Column::kBar:
        frame_.put(row, column, bar(traffic.both() / largest_, spec.width, has_utf8_), Style::kGood,
                   spec.width);
        return;
      default:
        return;
    }
  }

  void paint_overlay(int top, int bottom) {
    view_.overlay_scroll = std::clamp(view_.overlay_scroll, 0,
                                      std::max(static_cast<int>(view_.overlay.size()) - (bottom - top), 0));
    for (int row = top; row < bottom; ++row) {
      const auto index = static_cast<size_t>(view_.overlay_scroll + row - top);
      if (index >= view_.overlay.size()) break;
      frame_.put(row, 0, view_.overlay[index]);
    }
  }

  void paint_help(int row) {
    static constexpr std::array<std::string_view, 17> kHelp = {
        "up, down, j, k   choose a connection       PgUp, PgDn, Home, End",
        "Enter, w         why: its history in sentences",
        "space            its paths: show or hide   e  those of all",
        "s, S             sort by the next, the one before; r: reverse",
        "/                only connections that have a text in them",
        "Esc              choose none, show all",
        "b                rates in bits or in bytes",
        "+, -             sample more rarely, more often",
        "p                stand still               v  events: show or hide",
        "q                quit",
        "",
        "IN, OUT  payload a second   LOST  share of what was sent, sent again",
        "RTT  smoothed round trip, a connection's: the least of its paths'",
        "CWND  congestion window     RATE  in and out, beside the fastest",
        "up: carries data   backup: only when no other is left",
        "silent: no answer for a timeout, probed   joining: not proved yet",
        "MPTCP, or TCP: Enter says why it is plain",
    };
    for (const std::string_view line : kHelp) {
      if (row >= frame_.size().rows - 1) break;
      frame_.put(row++, 1, line);
    }
  }

  void paint_footer(int row) {
    std::string text = " q quit  ? help  s sort  Enter why  space paths  / find  b bits  p pause";
    if (width_ < 60) text = " q quit ? help s sort Enter why";
    if (view_.is_help) text = " any key: back";
    if (!view_.overlay.empty()) text = " up, down: scroll  any other key: back";
    if (view_.is_typing) text = fmt::format(" find: {}_  (Enter: keep, Esc: all)", view_.filter);
    if (!view_.notice.empty()) text = " " + view_.notice;
    frame_.put(row, 0, text, Style::kTitle);
    frame_.paint(row, Style::kTitle);
  }

  const Snapshot& snapshot_;
  ViewState& view_;
  Frame frame_;
  bool has_utf8_;
  int width_, name_width_ = 0;
  std::vector<ColumnSpec> columns_;
  double largest_ = 1;
};

}  // namespace

std::string_view to_string(SortKey key) {
  static constexpr std::array<std::string_view, kSortKeyCount> kNames = {"rate", "in",    "out", "rtt",
                                                                         "lost", "paths", "age", "name"};
  return kNames[static_cast<size_t>(key)];
}

std::vector<const ConnectionSample*> chosen(const Snapshot& snapshot, const ViewState& view) {
  std::vector<const ConnectionSample*> out;
  for (const ConnectionSample& c : snapshot.connections) {
    const bool fits =
        view.filter.empty() || c.key().find(view.filter) != std::string::npos ||
        c.token.find(view.filter) != std::string::npos ||
        std::ranges::any_of(c.paths, [&](const PathSample& p) {
          return (p.local + " " + p.remote + " " + p.state).find(view.filter) != std::string::npos;
        });
    if (fits) out.push_back(&c);
  }
  std::ranges::stable_sort(out, [&](const ConnectionSample* a, const ConnectionSample* b) {
    const double of_a = sort_value(*a, view.sort), of_b = sort_value(*b, view.sort);
    if (of_a == of_b) return a->key() < b->key();
    return of_a > of_b;
  });
  if (view.is_reversed) std::ranges::reverse(out);
  return out;
}

Frame render(const Snapshot& snapshot, ViewState& view, TerminalSize size, bool has_utf8) {
  return Painter(snapshot, view, size, has_utf8).paint();
}

std::string rate_text(double octets_per_s, bool in_bytes) {
  double value = in_bytes ? octets_per_s : 8 * octets_per_s;
  static constexpr std::array<std::string_view, 5> kUnits = {"", "k", "M", "G", "T"};
  size_t unit = 0;
  while (value >= 999.5 && unit + 1 < kUnits.size()) value /= 1000, ++unit;
  return fmt::format("{:.{}f}{}", value, unit > 0 && value < 99.95 ? 1 : 0, kUnits[unit]);
}

}  // namespace braid::cli
