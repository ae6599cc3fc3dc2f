// What `braid sim`, `braid lab` and their like have in common: a scenario with changes, and what to do with
// the results.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "scenario/results.h"
#include "scenario/scenario.h"

namespace braid::cli {

class ScenarioOptions {
 public:
  explicit ScenarioOptions(CLI::App& command);
  /// The error is ready for people.
  tl::expected<scenario::Scenario, std::string> read() const;
  /// The same options as words, for a program that is to read the same scenario.
  std::vector<std::string> words() const;

 private:
  std::string path_;
  std::vector<std::string> changes_, plugins_;
  std::optional<uint64_t> seed_;
};

class ResultOptions {
 public:
  explicit ResultOptions(CLI::App& command);
  /// What can be known to be wrong before something long is run. The error is ready for people.
  tl::expected<void, std::string> check() const;
  bool wants_series() const { return !csv_.empty() || !picture_.empty(); }
  const std::string& capture_directory() const { return captures_; }
  const std::string& event_log() const { return log_; }
  /// Files first, then the table or JSON on standard output. The error is ready for people.
  tl::expected<void, std::string> emit(const scenario::Results& results) const;

 private:
  std::string csv_, picture_, captures_, log_;
  bool as_json_ = false;
};

/// Shows the share that is done on a terminal; nothing if there is none.
std::function<void(double share)> progress_on_terminal();
void clear_progress();

}  // namespace braid::cli
