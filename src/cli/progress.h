// How far something long has come, on standard error: a bar on a terminal, now and then a line elsewhere.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace braid::cli {

class Progress {
 public:
  /// `what` is counted: "runs".
  Progress(std::string what, bool is_terminal);
  /// A finished bar is wiped away.
  ~Progress();
  void show(size_t done, size_t of);

  /// "[=====>    ] 12 of 30 runs, 8 s left".
  static std::string bar(size_t done, size_t of, const std::string& what, double elapsed_s);

 private:
  std::string what_;
  bool is_terminal_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now();
  size_t tenths_shown_ = 0;
  size_t width_ = 0;  // of the bar on the terminal
};

}  // namespace braid::cli
