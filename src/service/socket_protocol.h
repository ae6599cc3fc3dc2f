// What the preloaded library and the daemon say to each other about sockets. Shared by both, so it needs
// nothing but libc.
//
// A SOCK_SEQPACKET Unix socket at the control socket's path + ".app", and at the abstract name of
// control_name() for programs that can't see that path any more (chroot). One message is one Request or Reply
// and value_size bytes after it. Requests without kNoReply are answered in order.
//
// Every request about a socket carries the program's descriptor of it (SCM_RIGHTS): having it is the right to
// ask, whatever user a server has become since. What an operation needs besides comes as a second one.
//
// A Braid socket is one end of a Unix stream socket pair. The other end, the daemon's, has an abstract name
// with the daemon's and the socket's identifier in it; so getpeername() on the real descriptor tells any
// process that holds it which Braid socket it is, however it came by it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace braid::service {

inline constexpr uint32_t kMagic = 0x42524431;  // "BRD1"
inline constexpr int32_t kProtocolVersion = 1;
inline constexpr uint32_t kMaxValue = 1024;
inline constexpr const char* kApplicationSuffix = ".app";

/// An endpoint as a sockaddr has it, family 0 for none. `port` in host order, `bytes` in network order.
struct SocketAddress {
  uint16_t family = 0;
  uint16_t port = 0;
  uint32_t scope = 0;
  uint8_t bytes[16] = {};
};

enum class Operation : uint16_t {
  kHello = 1,  // argument0: kProtocolVersion. Value of the reply: the daemon's identifier (8 bytes)
  kCreate,     // descriptor: the daemon's end, named. argument0: family, argument1: protocol. No reply
  kBind,       // address
  kListen,     // argument0: backlog
  kLoopback,   // descriptor: a kernel listener whose connections go into the same queue. No reply
  kConnect,    // address; descriptor: a copy of the program's end. EINPROGRESS unless it failed at once
  kWithdraw,   // the program no longer waits for a ConnectRecord. kRecordSent if it is in the stream already
  kQuery,      // addresses and state
  kTakeError,  // result: the pending error, cleared; EINPROGRESS while connecting
  kSetOption,  // argument0: level, argument1: name; value
  kGetOption,  // argument0: level, argument1: name. The reply has the value
  kRelease,    // forget it: it becomes a kernel socket. The reply has the options set so far (OptionRecord)
  kReplace,    // descriptor: the daemon's end of a new pair for it. Value: the new identifier
  kOutQueue,   // result: octets written and not acknowledged yet (SIOCOUTQ). argument0: 1 for those not sent
};

// Request::flags
inline constexpr uint16_t kNoReply = 1;
inline constexpr uint16_t kWantsRecord =
    2;                                    // kConnect: send a ConnectRecord down the stream when it is decided
inline constexpr uint16_t kFastOpen = 4;  // kConnect: as with TCP_FASTOPEN_CONNECT

// Reply::flags
inline constexpr uint32_t kUseKernel = 1;      // turn it into a kernel socket and try again there
inline constexpr uint32_t kUseNewPair = 2;     // kReplace it, then try again
inline constexpr uint32_t kWantsLoopback = 4;  // kListen: offer a kernel listener on the loopback address
inline constexpr uint32_t kRecordSent = 8;     // kWithdraw
inline constexpr uint32_t kIsListening = 16;
inline constexpr uint32_t kIsConnected = 32;
inline constexpr uint32_t kIsIpv6 = 64;
inline constexpr uint32_t kIsV6Only = 128;
inline constexpr uint32_t kReusesPort = 256;

struct Request {
  uint32_t magic = kMagic;
  Operation operation = Operation::kHello;
  uint16_t flags = 0;
  uint64_t socket = 0;
  int32_t argument0 = 0;
  int32_t argument1 = 0;
  uint32_t value_size = 0;
  uint32_t reserved = 0;
  SocketAddress address;
};
static_assert(sizeof(Request) == 56);

struct Reply {
  uint32_t magic = kMagic;
  int32_t error = 0;  // errno of the call; 0: done
  int32_t result = 0;
  uint32_t flags = 0;
  uint32_t value_size = 0;
  uint32_t reserved = 0;
  SocketAddress local;
  SocketAddress remote;
};
static_assert(sizeof(Reply) == 72);

/// One accepted connection in a listener's stream; the descriptor rides along. A read of exactly this size
/// takes exactly one, because the kernel never joins data across descriptors.
struct AcceptRecord {
  uint32_t magic = kMagic;
  uint32_t reserved = 0;
  uint64_t socket = 0;  // 0: a kernel socket
  SocketAddress local;
  SocketAddress remote;
};
static_assert(sizeof(AcceptRecord) == 64);

/// The outcome of a connect that somebody waits for, before the stream's own bytes.
struct ConnectRecord {
  uint32_t magic = kMagic;
  int32_t error = 0;
  SocketAddress local;
  SocketAddress remote;
};
static_assert(sizeof(ConnectRecord) == 56);

/// Options set so far, one after the other: this, then `size` bytes.
struct OptionRecord {
  int32_t level = 0;
  int32_t name = 0;
  uint32_t size = 0;
};
inline constexpr uint32_t kMaxOptionSize = 64;

// "\0braid/" + 16 hexadecimal digits of the daemon + "/" + 16 of the socket.
inline constexpr char kNamePrefix[] = {'\0', 'b', 'r', 'a', 'i', 'd', '/'};
inline constexpr size_t kNameSize = sizeof(kNamePrefix) + 16 + 1 + 16;
inline constexpr size_t kControlNameSize = sizeof(kNamePrefix) + 16;

struct SocketName {
  uint64_t daemon = 0;
  uint64_t socket = 0;
};

inline void write_hex(char* out, uint64_t value) {
  for (int i = 15; i >= 0; --i, value >>= 4) out[i] = "0123456789abcdef"[value & 15];
}

inline bool read_hex(const char* in, uint64_t& value) {
  value = 0;
  for (int i = 0; i < 16; ++i) {
    const char c = in[i];
    const int digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return false;
    value = value << 4 | static_cast<uint64_t>(digit);
  }
  return true;
}

/// For sun_path: exactly kNameSize bytes.
inline void write_name(char* path, const SocketName& name) {
  for (size_t i = 0; i < sizeof(kNamePrefix); ++i) path[i] = kNamePrefix[i];
  write_hex(path + sizeof(kNamePrefix), name.daemon);
  path[sizeof(kNamePrefix) + 16] = '/';
  write_hex(path + sizeof(kNamePrefix) + 17, name.socket);
}

/// The daemon's own abstract name: exactly kControlNameSize bytes.
inline void write_control_name(char* path, uint64_t daemon) {
  for (size_t i = 0; i < sizeof(kNamePrefix); ++i) path[i] = kNamePrefix[i];
  write_hex(path + sizeof(kNamePrefix), daemon);
}

inline bool read_name(const char* path, size_t size, SocketName& name) {
  if (size != kNameSize) return false;
  for (size_t i = 0; i < sizeof(kNamePrefix); ++i) {
    if (path[i] != kNamePrefix[i]) return false;
  }
  return read_hex(path + sizeof(kNamePrefix), name.daemon) && path[sizeof(kNamePrefix) + 16] == '/' &&
         read_hex(path + sizeof(kNamePrefix) + 17, name.socket);
}

}  // namespace braid::service
