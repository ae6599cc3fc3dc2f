// [daemon] events: what connections decide and why, one JSON object a line, "time_s" (CLOCK_MONOTONIC) in
// each.
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <tl/expected.hpp>

#include "mptcp/decision.h"

namespace braid::service {

class EventFile final : public mptcp::DecisionLog {
 public:
  /// Appends to what is there. The error is for people.
  static tl::expected<std::unique_ptr<EventFile>, std::string> open(const std::string& path);
  ~EventFile() override;
  void on_decision(const mptcp::Connection& connection, const mptcp::Decision& decision, Time now) override;

 private:
  explicit EventFile(std::FILE* file) : file_(file) {}
  std::FILE* file_;
};

}  // namespace braid::service
