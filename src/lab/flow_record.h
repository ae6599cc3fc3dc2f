// What is known of a flow that two hosts play in real time: from their agents, and from the stacks that they
// use.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "scenario/flows.h"
#include "scenario/results.h"

namespace braid::lab {

class FlowRecord {
 public:
  enum class Series : uint8_t { kOfConnection, kOfSubflowsToo };
  /// `plan` outlives it. `number` counts from 1: series are named by it, and have a sample each `interval`.
  FlowRecord(const scenario::FlowPlan& plan, size_t number, Duration interval, Series wanted)
      : plan_(plan), name_("connection " + std::to_string(number)), interval_(interval), wanted_(wanted) {}

  /// A message of the agent of one of its hosts, with "is_server". `is_linux`: it tells of the stack as well.
  void on_agent(const nlohmann::json& message, const std::string& host, bool is_linux,
                std::vector<scenario::Sample>& series);
  /// The agent of that host will say nothing more.
  void on_agent_end(const std::string& host);
  /// What an end's stack says of the connection now.
  void note_stack(bool is_server, nlohmann::json info);
  /// The client's subflows, as they were last noted, if wanted.
  void add_series(double at_s, std::vector<scenario::Sample>& series);

  // ---- getters
  const scenario::FlowPlan& plan() const { return plan_; }
  bool is_over() const { return is_over_ || !failure_.empty(); }
  scenario::ConnectionResult result(double elapsed_s) const;

 private:
  const scenario::FlowPlan& plan_;
  std::string name_;
  Duration interval_;
  Series wanted_;
  nlohmann::json client_ = nlohmann::json::object(),
                 server_ = nlohmann::json::object();  // the stacks' last words
  nlohmann::json client_result_, server_result_;      // of the agents
  uint64_t client_memory_max_ = 0, server_memory_max_ = 0;
  bool is_over_ = false;
  std::string failure_;
  uint64_t sampled_bytes_ = 0;
  std::map<size_t, uint64_t> sampled_subflow_bytes_;
};

}  // namespace braid::lab
