#include "lab/flow_record.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace braid::lab {

using nlohmann::json;

namespace {
double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }
}  // namespace

void FlowRecord::on_agent(const json& message, const std::string& host, bool is_linux,
                          std::vector<scenario::Sample>& series) {
  const bool is_server = message.value("is_server", false);
  if (message.contains("over")) is_over_ = true;
  if (message.contains("failure") && failure_.empty()) {
    failure_ = fmt::format("{}: {}", host, message["failure"].get<std::string>());
    is_over_ = true;
  }
  if (const auto found = message.find("sample"); found != message.end()) {
    const double at_s = found->value("at_s", 0.0);
    if (is_linux) note_stack(is_server, *found);
    if (is_server == (plan_.spec->kind != scenario::WorkloadSpec::Kind::kRequests)) {
      const auto received = found->value("received_bytes", uint64_t{0});
      series.push_back(
          {at_s, name_, "goodput", static_cast<double>(received - sampled_bytes_) * 8 / seconds(interval_)});
      sampled_bytes_ = received;
    }
    if (is_linux && !is_server) add_series(at_s, series);
  }
  if (const auto found = message.find("result"); found != message.end()) {
    if (is_linux) note_stack(is_server, *found);
    (is_server ? server_result_ : client_result_) = *found;
  }
}

void FlowRecord::on_agent_end(const std::string& host) {
  const bool is_client = plan_.spec->from == host;
  if (!is_client && plan_.spec->to != host) return;
  const json& last = is_client ? client_result_ : server_result_;
  if (last.is_null() && failure_.empty()) failure_ = fmt::format("{}: what played it ended too early", host);
}

void FlowRecord::note_stack(bool is_server, json info) {
  const auto memory = info.value("memory_bytes", uint64_t{0});
  uint64_t& most = is_server ? server_memory_max_ : client_memory_max_;
  most = std::max(most, memory);
  // Of a subflow that is gone, the kernel says nothing more: what it did say stays.
  json& last = is_server ? server_ : client_;
  if (last.contains("subflows") && info.contains("subflows")) {
    for (const json& old : last["subflows"]) {
      const bool is_there = std::ranges::any_of(info["subflows"], [&](const json& s) {
        return s.value("local", "") == old.value("local", "") &&
               s.value("remote", "") == old.value("remote", "");
      });
      if (!is_there) info["subflows"].push_back(old);
    }
  }
  last = std::move(info);
}

void FlowRecord::add_series(double at_s, std::vector<scenario::Sample>& series) {
  if (wanted_ != Series::kOfSubflowsToo || !client_.contains("subflows")) return;
  size_t index = 0;
  for (const json& s : client_["subflows"]) {
    const std::string name = fmt::format("{} subflow {}", name_, ++index);
    const auto sent = s.value("data_sent_bytes", uint64_t{0});
    uint64_t& before = sampled_subflow_bytes_[index];
    series.push_back(
        {at_s, name, "rate", static_cast<double>(sent - std::min(sent, before)) * 8 / seconds(interval_)});
    before = sent;
    series.push_back({at_s, name, "cwnd", s.value("cwnd_bytes", 0.0)});
    series.push_back({at_s, name, "srtt", s.value("srtt_us", 0.0) / 1e3});
  }
}

scenario::ConnectionResult FlowRecord::result(double elapsed_s) const {
  const scenario::WorkloadSpec& spec = *plan_.spec;
  const json client = client_result_.is_object() ? client_result_ : json::object();
  const json server = server_result_.is_object() ? server_result_ : json::object();
  const json& teller = spec.kind == scenario::WorkloadSpec::Kind::kRequests ? client : server;
  scenario::ConnectionResult result;
  result.kind = spec.is_of_trace ? "trace" : to_string(spec.kind);
  result.from = spec.from;
  result.to = spec.to;
  result.bytes = client.value("received_bytes", uint64_t{0}) + server.value("received_bytes", uint64_t{0});
  result.start_s = seconds(spec.start.time_since_epoch());
  const bool is_over = client.value("is_over", false) || server.value("is_over", false);
  result.end_s =
      is_over ? std::max(client.value("last_byte_s", 0.0), server.value("last_byte_s", 0.0)) : elapsed_s;
  if (result.end_s > result.start_s)
    result.goodput_bits_per_s = static_cast<double>(result.bytes) * 8 / (result.end_s - result.start_s);
  result.longest_gap_s = teller.value("longest_gap_s", 0.0);
  result.failure = failure_;
  result.is_complete = is_over && failure_.empty();
  result.is_intact = client.value("is_intact", true) && server.value("is_intact", true);
  result.delay = scenario::summarise(teller.value("delays", std::vector<double>()));
  for (const json* end : {&client_, &server_})
    result.wasted_bytes +=
        end->value("reinjected_bytes", uint64_t{0}) + end->value("retransmitted_bytes", uint64_t{0});
  result.sender_memory_max = client_memory_max_;
  result.receiver_memory_max = server_memory_max_;
  result.multipath = client_.value("multipath", "");
  result.fallback = client_.value("fallback", result.multipath == "fallback" ? "not told by Linux" : "none");
  for (const json& s : client_.value("subflows", json::array())) {
    // By place, as its series are named.
    result.subflows.push_back({.index = static_cast<uint8_t>(result.subflows.size()),
                               .local = s.value("local", ""),
                               .remote = s.value("remote", ""),
                               .sent_bytes = s.value("data_sent_bytes", uint64_t{0}),
                               .received_bytes = s.value("data_received_bytes", uint64_t{0}),
                               .srtt_ms = s.value("srtt_us", 0.0) / 1e3,
                               .retransmissions = s.value("retransmissions", uint64_t{0}),
                               .timeouts = s.value("timeouts", uint64_t{0}),
                               .is_backup = s.value("is_backup", false)});
  }
  return result;
}

}  // namespace braid::lab
