#include "service/socket_options.h"

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>

#include "braid/socket_options.h"
#include "mptcp/coupled/coupled.h"
#include "mptcp/scheduler/scheduler.h"
#include "service/socket_protocol.h"

namespace braid::service {

namespace {

constexpr int kMost = 0x7fffffff;
constexpr size_t kCongestionNameSize = 16;  // TCP_CA_NAME_MAX
// A program's word on buffers is taken within these, as the kernel does with net.core.wmem_max.
constexpr int kLeastBuffer = 2304, kMostBuffer = 16 << 20;

// Options whose value is an int. What lies outside of the range is EINVAL; `is_flag`: any value, kept as 0
// or 1.
struct IntegerOption {
  int level, name;
  int standard = 0;
  int least = 0, most = kMost;
  bool is_flag = false;
};

constexpr IntegerOption flag(int level, int name, int standard = 0) {
  return {level, name, standard, 0, 1, true};
}

constexpr IntegerOption kIntegerOptions[] = {
    flag(SOL_SOCKET, SO_REUSEADDR),
    flag(SOL_SOCKET, SO_REUSEPORT),
    flag(SOL_SOCKET, SO_KEEPALIVE),
    flag(SOL_SOCKET, SO_BROADCAST),
    flag(SOL_SOCKET, SO_DONTROUTE),
    flag(SOL_SOCKET, SO_OOBINLINE),
    flag(SOL_SOCKET, SO_DEBUG),
    {SOL_SOCKET, SO_PRIORITY},
    {SOL_SOCKET, SO_MARK, 0, -kMost - 1},
    {SOL_SOCKET, SO_SNDBUF, 87040, -kMost - 1},
    {SOL_SOCKET, SO_RCVBUF, 131072, -kMost - 1},
    {SOL_SOCKET, SO_SNDLOWAT, 1, 1, 1},
    {SOL_SOCKET, SO_BUSY_POLL},
    {SOL_SOCKET, SO_INCOMING_CPU, -1, -1},
    flag(IPPROTO_TCP, TCP_NODELAY),
    {IPPROTO_TCP, TCP_MAXSEG, 1460, 0, 32767},
    flag(IPPROTO_TCP, TCP_CORK),
    {IPPROTO_TCP, TCP_KEEPIDLE, 7200, 1, 32767},
    {IPPROTO_TCP, TCP_KEEPINTVL, 75, 1, 32767},
    {IPPROTO_TCP, TCP_KEEPCNT, 9, 1, 127},
    {IPPROTO_TCP, TCP_SYNCNT, 6, 1, 127},
    {IPPROTO_TCP, TCP_LINGER2, 60, -1},
    {IPPROTO_TCP, TCP_DEFER_ACCEPT},
    {IPPROTO_TCP, TCP_WINDOW_CLAMP},
    {IPPROTO_TCP, TCP_QUICKACK, 1},
    {IPPROTO_TCP, TCP_USER_TIMEOUT},
    {IPPROTO_TCP, TCP_FASTOPEN},
    {IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 0, 0, 1},
    {IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, 0, 0, 1},
    {IPPROTO_TCP, TCP_TIMESTAMP},
    {IPPROTO_TCP, TCP_NOTSENT_LOWAT, 0, -kMost - 1},
    flag(IPPROTO_TCP, TCP_THIN_LINEAR_TIMEOUTS),
    flag(IPPROTO_TCP, TCP_THIN_DUPACK),
    {IPPROTO_IP, IP_TOS, 0, 0, 255},
    {IPPROTO_IP, IP_TTL, 64, -1, 255},
    {IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_WANT, 0, 5},
    {IPPROTO_IP, IP_MINTTL, 0, 0, 255},
    flag(IPPROTO_IP, IP_RECVERR),
    flag(IPPROTO_IP, IP_RECVTOS),
    flag(IPPROTO_IP, IP_RECVTTL),
    flag(IPPROTO_IP, IP_PKTINFO),
    flag(IPPROTO_IP, IP_FREEBIND),
    flag(IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT),
    flag(IPPROTO_IPV6, IPV6_V6ONLY),
    {IPPROTO_IPV6, IPV6_TCLASS, 0, -1, 255},
    {IPPROTO_IPV6, IPV6_UNICAST_HOPS, 64, -1, 255},
    {IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_WANT, 0, 5},
    flag(IPPROTO_IPV6, IPV6_RECVERR),
    flag(IPPROTO_IPV6, IPV6_RECVTCLASS),
    flag(IPPROTO_IPV6, IPV6_RECVPKTINFO),
    flag(IPPROTO_IPV6, IPV6_RECVHOPLIMIT),
    flag(IPPROTO_IPV6, IPV6_FREEBIND),
    flag(IPPROTO_IPV6, IPV6_DONTFRAG),
};

const IntegerOption* find_integer(int level, int name) {
  const auto* found = std::ranges::find_if(
      kIntegerOptions, [=](const IntegerOption& o) { return o.level == level && o.name == name; });
  return found == std::end(kIntegerOptions) ? nullptr : found;
}

std::vector<std::byte> bytes_of(const void* data, size_t size) {
  const auto* begin = static_cast<const std::byte*>(data);
  return {begin, begin + size};
}

std::string text_of(std::span<const std::byte> value) {
  const auto* text = reinterpret_cast<const char*>(value.data());
  return {text, strnlen(text, value.size())};
}

bool is_congestion_control(const std::string& name) {
  return std::ranges::count(mptcp::all_congestion_control_names(), name) > 0;
}

// IP_TOS and IPV6_TCLASS may come as a single octet.
int read_integer(std::span<const std::byte> value) {
  int number = 0;
  if (value.size() >= sizeof(number)) {
    std::memcpy(&number, value.data(), sizeof(number));
  } else {
    number = static_cast<int>(value[0]);
  }
  return number;
}

}  // namespace

int SocketOptions::set(int level, int name, std::span<const std::byte> value) {
  if (level == SOL_SOCKET && name == SO_LINGER) {
    if (value.size() < sizeof(linger)) return EINVAL;
    store(level, name, value.first(sizeof(linger)));
    return 0;
  }
  if (level == SOL_SOCKET && name == SO_MAX_PACING_RATE) {
    if (value.size() < sizeof(uint32_t)) return EINVAL;
    store(level, name, value);
    return 0;
  }
  if (level == IPPROTO_TCP && name == TCP_CONGESTION) {
    if (value.empty()) return EINVAL;
    std::string text = text_of(value);
    if (!is_congestion_control(text)) return ENOENT;
    text.resize(kCongestionNameSize);
    store(level, name, std::as_bytes(std::span(text)));
    return 0;
  }
  if (level == SOL_MPTCP && name == BRAID_SCHEDULER) {
    const std::string text = text_of(value);
    if (text.empty()) return EINVAL;
    if (mptcp::make_scheduler(text) == nullptr) return ENOENT;
    store(level, name, std::as_bytes(std::span(text.c_str(), text.size() + 1)));
    return 0;
  }
  if (level == IPPROTO_IP && name == IP_OPTIONS) return value.empty() ? 0 : ENOPROTOOPT;
  const IntegerOption* option = find_integer(level, name);
  if (option == nullptr || name == SO_SNDLOWAT) return ENOPROTOOPT;
  const bool may_be_octet = level == IPPROTO_IP || level == IPPROTO_IPV6;
  if (value.size() < sizeof(int) && (value.empty() || !may_be_octet)) return EINVAL;
  int number = read_integer(value);
  if (option->is_flag) number = number != 0 ? 1 : 0;
  if (number < option->least || number > option->most) return EINVAL;
  if (level == SOL_SOCKET && (name == SO_SNDBUF || name == SO_RCVBUF)) {
    number = number < 0 ? kMostBuffer : std::clamp(number, kLeastBuffer, kMostBuffer);
  }
  store(level, name, std::as_bytes(std::span(&number, 1)));
  return 0;
}

int SocketOptions::get(int level, int name, std::vector<std::byte>& value) const {
  if (const Stored* stored = find(level, name); stored != nullptr) {
    value = stored->value;
    // The kernel reports the double of what was asked for: its own bookkeeping is in there (socket(7)).
    if (level == SOL_SOCKET && (name == SO_SNDBUF || name == SO_RCVBUF)) {
      const int doubled = 2 * integer(level, name);
      value = bytes_of(&doubled, sizeof(doubled));
    }
    return 0;
  }
  if (const IntegerOption* option = find_integer(level, name); option != nullptr) {
    value = bytes_of(&option->standard, sizeof(option->standard));
    return 0;
  }
  if (level == SOL_SOCKET && name == SO_LINGER) {
    constexpr linger kOff{};
    value = bytes_of(&kOff, sizeof(kOff));
    return 0;
  }
  const bool is_empty =
      (level == IPPROTO_IP && name == IP_OPTIONS) || (level == SOL_SOCKET && name == SO_BINDTODEVICE);
  if (is_empty) value.clear();
  return is_empty ? 0 : ENOPROTOOPT;
}

bool SocketOptions::is_v6_only() const { return integer(IPPROTO_IPV6, IPV6_V6ONLY) != 0; }

bool SocketOptions::resets_on_close() const {
  const Stored* stored = find(SOL_SOCKET, SO_LINGER);
  if (stored == nullptr) return false;
  linger value;
  std::memcpy(&value, stored->value.data(), sizeof(value));
  return value.l_onoff != 0 && value.l_linger == 0;
}

std::vector<std::byte> SocketOptions::records() const {
  std::vector<std::byte> out;
  for (const Stored& stored : stored_) {
    const OptionRecord record{stored.level, stored.name, static_cast<uint32_t>(stored.value.size())};
    if (out.size() + sizeof(record) + stored.value.size() > kMaxValue) break;
    const auto header = std::as_bytes(std::span(&record, 1));
    out.insert(out.end(), header.begin(), header.end());
    out.insert(out.end(), stored.value.begin(), stored.value.end());
  }
  return out;
}

const SocketOptions::Stored* SocketOptions::find(int level, int name) const {
  const auto found =
      std::ranges::find_if(stored_, [=](const Stored& s) { return s.level == level && s.name == name; });
  return found == stored_.end() ? nullptr : &*found;
}

int SocketOptions::integer(int level, int name) const {
  if (const Stored* stored = find(level, name); stored != nullptr) return read_integer(stored->value);
  const IntegerOption* option = find_integer(level, name);
  return option != nullptr ? option->standard : 0;
}

void SocketOptions::store(int level, int name, std::span<const std::byte> value) {
  const size_t size = std::min<size_t>(value.size(), kMaxOptionSize);
  for (Stored& stored : stored_) {
    if (stored.level != level || stored.name != name) continue;
    stored.value.assign(value.begin(), value.begin() + static_cast<ptrdiff_t>(size));
    return;
  }
  stored_.push_back({level, name, bytes_of(value.data(), size)});
}

// ---- what they mean to a connection

void SocketOptions::apply(mptcp::ConnectionConfig& config) const {
  if (find(IPPROTO_TCP, TCP_NODELAY) != nullptr) config.no_delay = integer(IPPROTO_TCP, TCP_NODELAY) != 0;
  if (const Stored* s = find(SOL_MPTCP, BRAID_SCHEDULER)) config.scheduler = text_of(s->value);
  if (const Stored* s = find(IPPROTO_TCP, TCP_CONGESTION)) config.congestion_control = text_of(s->value);
  if (find(IPPROTO_TCP, TCP_SYNCNT) != nullptr) {
    config.subflow.syn_attempts = static_cast<uint32_t>(integer(IPPROTO_TCP, TCP_SYNCNT)) + 1;
  }
  if (find(IPPROTO_TCP, TCP_USER_TIMEOUT) != nullptr) {
    config.subflow.user_timeout = std::chrono::milliseconds(integer(IPPROTO_TCP, TCP_USER_TIMEOUT));
  }
  if (integer(SOL_SOCKET, SO_KEEPALIVE) != 0) {
    config.subflow.keepalive_idle = std::chrono::seconds(integer(IPPROTO_TCP, TCP_KEEPIDLE));
    config.subflow.keepalive_interval = std::chrono::seconds(integer(IPPROTO_TCP, TCP_KEEPINTVL));
    config.subflow.keepalive_attempts = static_cast<uint32_t>(integer(IPPROTO_TCP, TCP_KEEPCNT));
  }
  // The configuration says what may be, the program what is wanted: it has to bear seeing its data twice.
  config.fast_open.as_client = config.fast_open.as_client && connects_with_data();
  config.fast_open.as_server = config.fast_open.as_server && fast_open_queue() > 0;
  config.fast_open.waits_for_data = true;
  if (fast_open_queue() > 0) config.fast_open.most_pending = fast_open_queue();
  config.fast_open.needs_cookie = integer(IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE) == 0;
  if (traffic_class() != 0) config.subflow.traffic_class = traffic_class();
  config.subflow.hop_limit = hop_limit();
}

bool SocketOptions::connects_with_data() const { return integer(IPPROTO_TCP, TCP_FASTOPEN_CONNECT) != 0; }

uint32_t SocketOptions::fast_open_queue() const {
  return static_cast<uint32_t>(std::max(0, integer(IPPROTO_TCP, TCP_FASTOPEN)));
}

/// The last two bits are ECN's, not the program's (RFC 3168).
uint8_t SocketOptions::traffic_class() const {
  const int asked = std::max({0, integer(IPPROTO_IP, IP_TOS), integer(IPPROTO_IPV6, IPV6_TCLASS)});
  return static_cast<uint8_t>(asked & 0xfc);
}

/// A connection may have subflows of both families: what was set for either is for all. -1: as it comes.
uint8_t SocketOptions::hop_limit() const {
  if (find(IPPROTO_IP, IP_TTL) != nullptr && integer(IPPROTO_IP, IP_TTL) > 0)
    return static_cast<uint8_t>(integer(IPPROTO_IP, IP_TTL));
  if (find(IPPROTO_IPV6, IPV6_UNICAST_HOPS) != nullptr && integer(IPPROTO_IPV6, IPV6_UNICAST_HOPS) > 0)
    return static_cast<uint8_t>(integer(IPPROTO_IPV6, IPV6_UNICAST_HOPS));
  return tcp::SubflowConfig{}.hop_limit;
}

void SocketOptions::apply(int level, int name, mptcp::Connection& connection, Time now) const {
  if (level == SOL_SOCKET) {
    const auto buffer = [&] { return uint64_t{2} * static_cast<uint64_t>(integer(level, name)); };
    if (name == SO_SNDBUF) connection.set_send_buffer(buffer());
    if (name == SO_RCVBUF) connection.set_receive_buffer(buffer());
  }
  if (level == SOL_MPTCP && name == BRAID_SCHEDULER)
    connection.set_scheduler(text_of(find(level, name)->value), now);
  if (level == IPPROTO_TCP) {
    if (name == TCP_NODELAY) connection.set_no_delay(integer(level, name) != 0, now);
    if (name == TCP_CORK) connection.set_cork(integer(level, name) != 0, now);
    if (name == TCP_CONGESTION) connection.set_congestion_control(text_of(find(level, name)->value), now);
    if (name == TCP_USER_TIMEOUT) {
      connection.set_user_timeout(std::chrono::milliseconds(integer(level, name)), now);
    }
  }
  const bool is_traffic_class =
      (level == IPPROTO_IP && name == IP_TOS) || (level == IPPROTO_IPV6 && name == IPV6_TCLASS);
  if (is_traffic_class) connection.set_traffic_class(traffic_class());
  const bool is_hop_limit =
      (level == IPPROTO_IP && name == IP_TTL) || (level == IPPROTO_IPV6 && name == IPV6_UNICAST_HOPS);
  if (is_hop_limit) connection.set_hop_limit(hop_limit());
  const bool is_keepalive =
      (level == SOL_SOCKET && name == SO_KEEPALIVE) ||
      (level == IPPROTO_TCP && (name == TCP_KEEPIDLE || name == TCP_KEEPINTVL || name == TCP_KEEPCNT));
  if (!is_keepalive) return;
  std::optional<Duration> idle;
  if (integer(SOL_SOCKET, SO_KEEPALIVE) != 0) idle = std::chrono::seconds(integer(IPPROTO_TCP, TCP_KEEPIDLE));
  connection.set_keepalive(idle, std::chrono::seconds(integer(IPPROTO_TCP, TCP_KEEPINTVL)),
                           static_cast<uint32_t>(integer(IPPROTO_TCP, TCP_KEEPCNT)), now);
}

void SocketOptions::apply_all(mptcp::Connection& connection, Time now) const {
  for (const Stored& stored : stored_) {
    const bool is_in_config =
        (stored.level == IPPROTO_TCP && stored.name != TCP_CORK) || stored.level == SOL_MPTCP;
    if (!is_in_config) apply(stored.level, stored.name, connection, now);
  }
}

}  // namespace braid::service
