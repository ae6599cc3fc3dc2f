#include "service/tcp_info.h"

#include <linux/tcp.h>

#include <algorithm>
#include <cstring>
#include <string_view>

namespace braid::service {

namespace {

// The kernel's numbers (include/net/tcp_states.h) of the connection's state, at the data level where there is
// one: a program asks whether its peer has closed, not whether a path is up.
struct StateNumber {
  std::string_view name;
  uint8_t number;
};
constexpr StateNumber kStateNumbers[] = {
    {"ESTABLISHED", 1}, {"SYN-SENT", 2}, {"SYN-RECEIVED", 3}, {"FIN-WAIT-1", 4}, {"FIN-WAIT-2", 5},
    {"TIME-WAIT", 6},   {"CLOSED", 7},   {"CLOSE-WAIT", 8},   {"LAST-ACK", 9},   {"CLOSING", 11},
};
constexpr uint8_t kClosedNumber = 7, kListenNumber = 10;

uint8_t state_number(std::string_view name) {
  const auto* found = std::ranges::find(kStateNumbers, name, &StateNumber::name);
  return found != std::end(kStateNumbers) ? found->number : kClosedNumber;
}

uint32_t microseconds(Duration d) {
  return static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(d).count());
}

}  // namespace

std::vector<std::byte> tcp_info_of(const mptcp::Connection* connection, AppSocket::State state) {
  tcp_info info{};
  info.tcpi_state = state == AppSocket::State::kListening ? kListenNumber : kClosedNumber;
  if (connection != nullptr) {
    const mptcp::ConnectionInfo whole = connection->info();
    info.tcpi_state = state_number(whole.state);
    if (!whole.subflows.empty()) {
      const mptcp::SubflowInfo& first = whole.subflows.front();
      const uint32_t mss = std::max(first.mss, 1u);
      info.tcpi_snd_mss = info.tcpi_rcv_mss = info.tcpi_advmss = mss;
      info.tcpi_rto = microseconds(first.rto);
      info.tcpi_rtt = microseconds(first.srtt);
      info.tcpi_rttvar = microseconds(first.rttvar);
      info.tcpi_min_rtt = microseconds(first.min_rtt);
      info.tcpi_snd_cwnd = static_cast<uint32_t>(first.cwnd_bytes / mss);
      info.tcpi_snd_ssthresh =
          static_cast<uint32_t>(std::min<uint64_t>(first.ssthresh_bytes / mss, 0x7fffffff));
      info.tcpi_unacked = static_cast<uint32_t>(first.in_flight_bytes / mss);
      info.tcpi_snd_wnd = static_cast<uint32_t>(std::min<uint64_t>(first.send_window_bytes, 0xffffffff));
      info.tcpi_pmtu = mss + 40;
      if (first.has_timestamps) info.tcpi_options |= TCPI_OPT_TIMESTAMPS;
      if (first.has_sack) info.tcpi_options |= TCPI_OPT_SACK;
      if (first.window_scale != 0 || first.peer_window_scale != 0) info.tcpi_options |= TCPI_OPT_WSCALE;
      info.tcpi_rcv_wscale = static_cast<uint8_t>(first.window_scale & 15);
      info.tcpi_snd_wscale = static_cast<uint8_t>(first.peer_window_scale & 15);
    }
    for (const mptcp::SubflowInfo& subflow : whole.subflows) {
      info.tcpi_total_retrans += static_cast<uint32_t>(subflow.retransmissions);
      info.tcpi_bytes_retrans += subflow.retransmitted_bytes;
    }
    if (whole.syn_data_bytes > 0) info.tcpi_options |= TCPI_OPT_SYN_DATA;
    info.tcpi_bytes_acked = whole.acked_bytes;
    info.tcpi_bytes_sent = whole.sent_bytes;
    info.tcpi_bytes_received = whole.received_bytes;
    const uint64_t unsent = whole.written_bytes - std::min(whole.written_bytes, whole.sent_bytes);
    info.tcpi_notsent_bytes = static_cast<uint32_t>(std::min<uint64_t>(unsent, 0xffffffff));
    info.tcpi_rcv_space = static_cast<uint32_t>(std::min<uint64_t>(whole.receive_buffer_bytes, 0xffffffff));
  }
  std::vector<std::byte> bytes(sizeof(info));
  std::memcpy(bytes.data(), &info, sizeof(info));
  return bytes;
}

}  // namespace braid::service
