// Does a path carry MPTCP? A SYN with MP_CAPABLE (RFC 8684, 3.1) goes out by each uplink, and one without if
// nothing comes back. The kernel answers what comes with a RST, since no socket of its own listens for it:
// the server forgets it at once.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "doctor/checks.h"
#include "doctor/machine.h"
#include "io/event_loop.h"
#include "io/file_descriptor.h"
#include "io/system_random.h"

namespace braid::doctor {

namespace {

constexpr Duration kPatience = 1s;
constexpr int kAttempts = 3;  // a busy host may be late with the first: it asks for the neighbour before
constexpr uint8_t kSyn = 0x02, kRst = 0x04, kSynAck = 0x12, kFlags = 0x17;
constexpr uint8_t kMptcpOption = 30;

enum class Answer : uint8_t { kNothing, kMultipath, kPlain, kReset, kNotSent };

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

SocketAddress to_socket_address(const wire::IpAddress& address, uint16_t port) {
  SocketAddress result;
  if (address.is_v4()) {
    auto* in = reinterpret_cast<sockaddr_in*>(&result.storage);
    in->sin_family = AF_INET;
    in->sin_port = htons(port);
    std::memcpy(&in->sin_addr, address.bytes().data(), 4);
    result.size = sizeof(sockaddr_in);
  } else {
    auto* in = reinterpret_cast<sockaddr_in6*>(&result.storage);
    in->sin6_family = AF_INET6;
    in->sin6_port = htons(port);
    std::memcpy(&in->sin6_addr, address.bytes().data(), 16);
    result.size = sizeof(sockaddr_in6);
  }
  return result;
}

/// A port that the kernel gives to nobody else meanwhile: bound, and not listening.
uint16_t hold_port(const wire::IpAddress& local, io::FileDescriptor& holder) {
  holder = io::FileDescriptor(socket(local.is_v4() ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const SocketAddress name = to_socket_address(local, 0);
  if (!holder || bind(holder.get(), name.get(), name.size) != 0) return 0;
  sockaddr_storage bound{};
  socklen_t size = sizeof(bound);
  getsockname(holder.get(), reinterpret_cast<sockaddr*>(&bound), &size);
  return ntohs(local.is_v4() ? reinterpret_cast<sockaddr_in*>(&bound)->sin_port
                             : reinterpret_cast<sockaddr_in6*>(&bound)->sin6_port);
}

void put16(std::vector<uint8_t>& out, uint32_t value) {
  out.push_back(static_cast<uint8_t>(value >> 8));
  out.push_back(static_cast<uint8_t>(value));
}

uint16_t checksum(const std::vector<uint8_t>& segment, const wire::IpAddress& from,
                  const wire::IpAddress& to) {
  uint32_t sum = IPPROTO_TCP + static_cast<uint32_t>(segment.size());
  const auto add = [&sum](const uint8_t* bytes, size_t size) {
    for (size_t i = 0; i < size; ++i) sum += i % 2 == 0 ? uint32_t{bytes[i]} << 8 : bytes[i];
  };
  const size_t size = from.is_v4() ? 4 : 16;
  add(reinterpret_cast<const uint8_t*>(from.bytes().data()), size);
  add(reinterpret_cast<const uint8_t*>(to.bytes().data()), size);
  add(segment.data(), segment.size());
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

/// MSS 1220, and MP_CAPABLE of version 1 with HMAC-SHA256 (flag H): 4 octets on a SYN, no key yet.
std::vector<uint8_t> make_syn(const wire::IpAddress& from, uint16_t local_port, const wire::Endpoint& to,
                              uint32_t sequence, bool is_multipath) {
  std::vector<uint8_t> segment;
  put16(segment, local_port);
  put16(segment, to.port);
  put16(segment, sequence >> 16);
  put16(segment, sequence);
  put16(segment, 0);
  put16(segment, 0);
  segment.push_back(static_cast<uint8_t>((is_multipath ? 7 : 6) << 4));
  segment.push_back(kSyn);
  put16(segment, 65535);
  put16(segment, 0);
  put16(segment, 0);
  for (const uint8_t octet : {2, 4, 1220 >> 8, 1220 & 0xff}) segment.push_back(octet);
  if (is_multipath) {
    for (const uint8_t octet : {int{kMptcpOption}, 4, 0x01, 0x01})
      segment.push_back(static_cast<uint8_t>(octet));
  }
  const uint16_t sum = checksum(segment, from, to.address);
  segment[16] = static_cast<uint8_t>(sum >> 8);
  segment[17] = static_cast<uint8_t>(sum);
  return segment;
}

bool has_mp_capable(std::span<const uint8_t> options) {
  for (size_t at = 0; at < options.size();) {
    if (options[at] == 0) return false;
    if (options[at] == 1) {
      ++at;
      continue;
    }
    if (at + 1 >= options.size() || options[at + 1] < 2 || at + options[at + 1] > options.size())
      return false;
    if (options[at] == kMptcpOption && options[at + 1] >= 3) return (options[at + 2] >> 4) == 0;
    at += options[at + 1];
  }
  return false;
}

/// What a packet says to a SYN of ours; kNothing if it is about something else. IPv4 comes with its header.
Answer read_answer(std::span<const uint8_t> packet, bool is_v4, uint16_t local_port, uint16_t remote_port,
                   uint32_t sequence) {
  if (is_v4) {
    if (packet.size() < 20) return Answer::kNothing;
    const size_t header = size_t{4} * (packet[0] & 0x0f);
    if (packet.size() < header) return Answer::kNothing;
    packet = packet.subspan(header);
  }
  const auto word = [&packet](size_t at) { return uint32_t{packet[at]} << 8 | packet[at + 1]; };
  if (packet.size() < 20 || word(0) != remote_port || word(2) != local_port) return Answer::kNothing;
  if ((word(8) << 16 | word(10)) != sequence + 1) return Answer::kNothing;
  const size_t header = size_t{4} * (packet[12] >> 4);
  if ((packet[13] & kRst) != 0) return Answer::kReset;
  if ((packet[13] & kFlags) != kSynAck || header < 20 || header > packet.size()) return Answer::kNothing;
  return has_mp_capable(packet.subspan(20, header - 20)) ? Answer::kMultipath : Answer::kPlain;
}

Answer wait_for_answer(int fd, const wire::IpAddress& local, uint16_t local_port, uint16_t remote_port,
                       uint32_t sequence) {
  const Time end = io::read_clock() + kPatience;
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - io::read_clock()).count();
    pollfd poller{fd, POLLIN, 0};
    if (left <= 0 || poll(&poller, 1, static_cast<int>(left)) <= 0) return Answer::kNothing;
    std::array<uint8_t, 2048> packet;
    const ssize_t size = recv(fd, packet.data(), packet.size(), MSG_DONTWAIT);
    if (size <= 0) continue;
    const Answer answer = read_answer({packet.data(), static_cast<size_t>(size)}, local.is_v4(), local_port,
                                      remote_port, sequence);
    if (answer != Answer::kNothing) return answer;
  }
}

Answer probe(const Uplink& uplink, const wire::IpAddress& local, const wire::Endpoint& remote,
             bool is_multipath, int& error) {
  const io::FileDescriptor raw(
      socket(local.is_v4() ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_TCP));
  io::FileDescriptor holder;
  const uint16_t port = hold_port(local, holder);
  const SocketAddress from = to_socket_address(local, 0), to = to_socket_address(remote.address, 0);
  const bool is_bound = raw && port != 0 && bind(raw.get(), from.get(), from.size) == 0 &&
                        setsockopt(raw.get(), SOL_SOCKET, SO_BINDTODEVICE, uplink.link.name.c_str(),
                                   static_cast<socklen_t>(uplink.link.name.size())) == 0;
  error = errno;
  if (!is_bound) return Answer::kNotSent;
  io::SystemRandom random;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const auto sequence = static_cast<uint32_t>(random.next64());
    const auto syn = make_syn(local, port, remote, sequence, is_multipath);
    if (sendto(raw.get(), syn.data(), syn.size(), 0, to.get(), to.size) < 0) {
      error = errno;
      return Answer::kNotSent;
    }
    const Answer answer = wait_for_answer(raw.get(), local, port, remote.port, sequence);
    if (answer != Answer::kNothing) return answer;
  }
  return Answer::kNothing;
}

Finding judge(const Uplink& uplink, const wire::IpAddress& local, const wire::Endpoint& remote) {
  const std::string path =
      fmt::format("{} ({}) to {}", uplink.link.name, local.to_string(), remote.to_string());
  int error = 0;
  switch (probe(uplink, local, remote, true, error)) {
    case Answer::kMultipath:
      return {Severity::kFine, "reach", path + ": MP_CAPABLE is answered: the path and the peer do MPTCP", "",
              ""};
    case Answer::kPlain:
      return {
          Severity::kWarning, "reach", path + ": answered without MP_CAPABLE",
          "connections are plain TCP: the peer has no MPTCP, or something on the path takes the option away",
          "# try a peer that has it, by the same path: braid doctor --reach OTHER:PORT"};
    case Answer::kReset:
      return {Severity::kWarning, "reach", path + ": refused (RST)", "nothing listens at that port",
              fmt::format("# does the service run there, on port {}?", remote.port)};
    case Answer::kNotSent:
      return {Severity::kBlocks, "reach", fmt::format("{}: cannot be sent: {}", path, std::strerror(error)),
              "no route by this uplink, or no right to send raw packets",
              fmt::format("ip route get {} from {} oif {}\nsudo braid doctor --reach ...",
                          remote.address.to_string(), local.to_string(), uplink.link.name)};
    case Answer::kNothing:
      break;
  }
  const Answer plain = probe(uplink, local, remote, false, error);
  if (plain == Answer::kPlain || plain == Answer::kMultipath) {
    return {Severity::kWarning, "reach", path + ": a SYN with MP_CAPABLE is lost, one without is answered",
            "connections come up after syn_attempts_with_multipath SYNs, as plain TCP: a middlebox drops the "
            "option",
            "# shorter waits on such paths: [connection] syn_attempts_with_multipath = 1"};
  }
  return {Severity::kBlocks, "reach", path + ": nothing comes back, with MP_CAPABLE or without",
          "this uplink does not lead there",
          fmt::format("ping -I {} {}", uplink.link.name, remote.address.to_string())};
}
}  // namespace

Findings check_reach(const wire::Endpoint& remote, const io::NetworkConfig& config) {
  auto netlink = io::Netlink::open();
  if (!netlink) return {{Severity::kBlocks, "reach", netlink.error().message, "", ""}};
  const auto machine = read_machine(**netlink, config);
  Findings findings;
  for (const Uplink& uplink : machine->uplinks) {
    for (const wire::IpAddress& local : uplink.addresses) {
      if (local.family() == remote.address.family()) findings.push_back(judge(uplink, local, remote));
    }
  }
  if (findings.empty()) {
    findings.push_back({Severity::kBlocks, "reach",
                        "no uplink has an address of " + remote.to_string() + "'s family",
                        "there is no path to it", "ip -brief address"});
  }
  return findings;
}

}  // namespace braid::doctor
