#include "lab/kernel_info.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
// After those of the C library, which they would contradict.
#include <linux/mptcp.h>
#include <linux/sock_diag.h>
#include <linux/tcp.h>

#include <array>
#include <cstring>

#include "wire/address.h"

namespace braid::lab {

namespace {

constexpr int kSolMptcp = 284;
constexpr uint32_t kMostSubflows = 16;

std::string text_of(const void* address) {
  sa_family_t family;
  std::memcpy(&family, address, sizeof(family));
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, address, sizeof(v4));
    inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    return std::string(text.data()) + ":" + std::to_string(ntohs(v4.sin_port));
  }
  sockaddr_in6 v6;
  std::memcpy(&v6, address, sizeof(v6));
  if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
    inet_ntop(AF_INET, &v6.sin6_addr.s6_addr[12], text.data(), text.size());
    return std::string(text.data()) + ":" + std::to_string(ntohs(v6.sin6_port));
  }
  inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
  return "[" + std::string(text.data()) + "]:" + std::to_string(ntohs(v6.sin6_port));
}

void add(const tcp_info& info, std::string local, std::string remote, KernelInfo& result) {
  scenario::SubflowResult subflow;
  subflow.local = std::move(local);
  subflow.remote = std::move(remote);
  subflow.sent_bytes = info.tcpi_bytes_sent - info.tcpi_bytes_retrans;
  subflow.received_bytes = info.tcpi_bytes_received;
  subflow.srtt_ms = info.tcpi_rtt / 1e3;
  subflow.retransmissions = info.tcpi_total_retrans;
  result.subflows.push_back(std::move(subflow));
  result.cwnd_bytes.push_back(uint64_t{info.tcpi_snd_cwnd} * info.tcpi_snd_mss);
}

void read_plain(int socket, KernelInfo& result) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return;
  sockaddr_storage local{}, remote{};
  socklen_t local_size = sizeof(local), remote_size = sizeof(remote);
  getsockname(socket, reinterpret_cast<sockaddr*>(&local), &local_size);
  getpeername(socket, reinterpret_cast<sockaddr*>(&remote), &remote_size);
  add(info, text_of(&local), text_of(&remote), result);
}

template <class Item>
struct SubflowArray {
  mptcp_subflow_data head{};
  std::array<Item, kMostSubflows> items{};
};

template <class Item>
bool read_subflows(int socket, int option, SubflowArray<Item>& out) {
  out.head.size_subflow_data = sizeof(out.head);
  out.head.size_user = sizeof(Item);
  socklen_t size = sizeof(out);
  return getsockopt(socket, kSolMptcp, option, &out, &size) == 0;
}

void read_multipath(int socket, KernelInfo& result) {
  SubflowArray<tcp_info> infos;
  SubflowArray<mptcp_subflow_addrs> addresses;
  if (!read_subflows(socket, MPTCP_TCPINFO, infos) || !read_subflows(socket, MPTCP_SUBFLOW_ADDRS, addresses))
    return;
  for (uint32_t i = 0; i < std::min({infos.head.num_subflows, addresses.head.num_subflows, kMostSubflows});
       ++i)
    add(infos.items[i], text_of(&addresses.items[i].ss_local), text_of(&addresses.items[i].ss_remote),
        result);
}

}  // namespace

KernelInfo kernel_info_of(int socket, bool is_mptcp) {
  KernelInfo result;
  std::array<uint32_t, SK_MEMINFO_VARS> memory{};
  socklen_t size = sizeof(memory);
  constexpr int kSoMeminfo = 55;
  if (getsockopt(socket, SOL_SOCKET, kSoMeminfo, memory.data(), &size) == 0)
    result.memory_bytes = uint64_t{memory[SK_MEMINFO_RMEM_ALLOC]} + memory[SK_MEMINFO_WMEM_QUEUED];
  mptcp_info info{};
  size = sizeof(info);
  const bool is_multipath = is_mptcp && getsockopt(socket, kSolMptcp, MPTCP_INFO, &info, &size) == 0 &&
                            (info.mptcpi_flags & MPTCP_INFO_FLAG_FALLBACK) == 0;
  result.multipath = is_multipath ? "established" : is_mptcp ? "fallback" : "off";
  if (is_multipath) {
    read_multipath(socket, result);
  } else {
    read_plain(socket, result);
  }
  return result;
}

}  // namespace braid::lab
