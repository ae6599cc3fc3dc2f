#include "service/tcp_info.h"

#include <linux/tcp.h>

#include <algorithm>
#include <cstring>

namespace braid::service {

namespace {

// The kernel's numbers (include/net/tcp_states.h).
uint8_t state_number(tcp::State state) {
  switch (state) {
    case tcp::State::kEstablished:
      return 1;
    case tcp::State::kSynSent:
      return 2;
    case tcp::State::kSynReceived:
      return 3;
    case tcp::State::kFinWait1:
      return 4;
    case tcp::State::kFinWait2:
      return 5;
    case tcp::State::kTimeWait:
      return 6;
    case tcp::State::kClosed:
      return 7;
    case tcp::State::kCloseWait:
      return 8;
    case tcp::State::kLastAck:
      return 9;
    case tcp::State::kClosing:
      return 11;
  }
  return 7;
}
constexpr uint8_t kClosedNumber = 7, kListenNumber = 10;

uint32_t microseconds(Duration d) {
  return static_cast<uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(d).count());
}

}  // namespace

std::vector<std::byte> tcp_info_of(const mptcp::Connection* connection, AppSocket::State state) {
  tcp_info info{};
  info.tcpi_state = state == AppSocket::State::kListening ? kListenNumber : kClosedNumber;
  if (connection != nullptr) {
    const mptcp::ConnectionInfo whole = connection->info();
    if (!whole.subflows.empty()) {
      const mptcp::SubflowInfo& first = whole.subflows.front();
      const uint32_t mss = std::max(first.mss, 1u);
      info.tcpi_state = state_number(first.state);
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
    }
    for (const mptcp::SubflowInfo& subflow : whole.subflows) {
      info.tcpi_total_retrans += static_cast<uint32_t>(subflow.retransmissions);
      info.tcpi_bytes_retrans += subflow.retransmitted_bytes;
    }
    if (whole.syn_data_bytes > 0) info.tcpi_options |= TCPI_OPT_SYN_DATA;
    info.tcpi_bytes_acked = whole.acked_bytes;
    info.tcpi_bytes_sent = whole.sent_bytes;
    info.tcpi_bytes_received = whole.received_bytes;
    info.tcpi_notsent_bytes = static_cast<uint32_t>(std::min<uint64_t>(whole.send_queue_bytes, 0xffffffff));
    info.tcpi_rcv_space = static_cast<uint32_t>(std::min<uint64_t>(whole.receive_buffer_bytes, 0xffffffff));
  }
  std::vector<std::byte> bytes(sizeof(info));
  std::memcpy(bytes.data(), &info, sizeof(info));
  return bytes;
}

}  // namespace braid::service
