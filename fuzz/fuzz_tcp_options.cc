// The options of a TCP header: the first octet is the header's flags, the rest its options.
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/check.h"
#include "wire/tcp_header.h"
#include "wire/tcp_options.h"

using namespace braid::wire;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > 1 + kMaxTcpOptionBytes) return 0;
  const TcpFlags flags = to_flags(data[0]);
  const auto input = std::as_bytes(std::span(data + 1, size - 1));
  const std::vector<std::byte> bytes(input.begin(), input.end());
  TcpOptions options;
  parse_tcp_options(bytes, flags, options);
  BRAID_CHECK(options.malformed + options.malformed_mptcp <= static_cast<int>(bytes.size()));

  // What was seen on input only is not written.
  options.malformed = options.malformed_mptcp = 0;
  options.has_md5_signature = false;
  std::array<std::byte, 4 * kMaxTcpOptionBytes> encoded;  // padding may make it longer than what came
  const size_t encoded_size = options.encode(encoded);
  BRAID_CHECK(encoded_size == options.encoded_size() && encoded_size % 4 == 0);
  TcpOptions again;
  parse_tcp_options(std::span(encoded).first(encoded_size), flags, again);
  BRAID_CHECK(again == options);
  return 0;
}
