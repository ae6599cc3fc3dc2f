#include "cli/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

namespace braid::cli {

namespace {
constexpr size_t kBarWidth = 30;
constexpr double kSoonestEstimate_s = 1;  // earlier than that it is a guess
}  // namespace

Progress::Progress(std::string what, bool is_terminal) : what_(std::move(what)), is_terminal_(is_terminal) {}

Progress::~Progress() {
  if (width_ > 0) fmt::print(stderr, "\r{:{}}\r", "", width_);
}

std::string Progress::bar(size_t done, size_t of, const std::string& what, double elapsed_s) {
  const size_t full = of == 0 ? kBarWidth : kBarWidth * done / of;
  std::string text = fmt::format("[{:=<{}}{:<{}}] {} of {} {}", "", full, full < kBarWidth ? ">" : "",
                                 kBarWidth - full, done, of, what);
  if (done > 0 && done < of && elapsed_s >= kSoonestEstimate_s) {
    const double left = elapsed_s * static_cast<double>(of - done) / static_cast<double>(done);
    text += left < 90 ? fmt::format(", {:.0f} s left", left) : fmt::format(", {:.0f} min left", left / 60);
  }
  return text;
}

void Progress::show(size_t done, size_t of) {
  if (of == 0) return;
  if (is_terminal_) {
    const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - begin_;
    const std::string text = bar(done, of, what_, elapsed.count());
    width_ = std::max(width_, text.size());
    fmt::print(stderr, "\r{:<{}}", text, width_);
    std::fflush(stderr);
    return;
  }
  const size_t tenths = 10 * done / of;
  if (tenths == tenths_shown_) return;
  tenths_shown_ = tenths;
  fmt::print(stderr, "{} of {} {}\n", done, of, what_);
}

}  // namespace braid::cli
