#include "config/connection_settings.h"

#include <algorithm>

#include "mptcp/coupled/coupled.h"
#include "mptcp/path_manager/path_manager.h"
#include "mptcp/scheduler/scheduler.h"
#include "tcp/congestion_control.h"

namespace braid::config {

namespace {

constexpr uint64_t kLeastBuffer = 4096, kMostBuffer = uint64_t{1} << 30;

std::vector<std::string> all_congestion_controls() {
  std::vector<std::string> names = tcp::congestion_control_names();
  for (std::string& name : mptcp::coupled_names()) names.push_back(std::move(name));
  return names;
}

}  // namespace

void read_connection(TomlTable& table, mptcp::ConnectionConfig& c) {
  table.read("multipath", c.is_multipath);
  table.read("checksum", c.require_checksum);
  table.read_choice("scheduler", c.scheduler, mptcp::scheduler_names());
  table.read_choice("congestion_control", c.congestion_control, all_congestion_controls());
  table.read_choice("path_manager", c.path_manager, mptcp::path_manager_names());
  table.read_size("send_buffer", c.send_buffer_bytes, kLeastBuffer, kMostBuffer);
  table.read_size("receive_buffer", c.receive_buffer_bytes, kLeastBuffer, kMostBuffer);
  table.read("autotune", c.autotune);
  table.read("opportunistic_retransmission", c.opportunistic_retransmission);
  table.read("penalise", c.penalise);
  table.read("cap_rtt", c.cap_rtt);
  table.read("no_delay", c.no_delay);
  table.read("max_subflows", c.max_subflows, 1, 255);
  table.read("syn_attempts_with_multipath", c.syn_attempts_with_multipath, 0, 127);
  table.read("syn_attempts", c.subflow.syn_attempts, 1, 127);
  table.read_duration("join_timeout", c.join_timeout);
  table.read_duration("survive_without_subflows", c.survive_without_subflows);
  table.read_duration("dead_path_probe_max", c.dead_path_probe_max);
  table.read_duration("linger", c.linger);
  table.read_duration("delayed_ack", c.subflow.delayed_ack);
  table.read_duration("time_wait", c.subflow.time_wait);
  c.initial_send_buffer_bytes = std::min(c.initial_send_buffer_bytes, c.send_buffer_bytes);
  c.initial_receive_buffer_bytes = std::min(c.initial_receive_buffer_bytes, c.receive_buffer_bytes);
}

}  // namespace braid::config
