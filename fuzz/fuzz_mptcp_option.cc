// One MPTCP option as a peer might send it: the first octet picks the segment's flags, the rest is the
// option.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/check.h"
#include "wire/mptcp_options.h"

namespace {

using namespace braid::wire;

void check(const std::vector<std::byte>& bytes, bool is_syn, bool is_ack) {
  const auto option = parse_mptcp_option(bytes, is_syn, is_ack);
  if (!option) return;
  std::vector<std::byte> encoded(encoded_size(*option));
  BRAID_CHECK(encode(*option, encoded) == encoded.size());
  BRAID_CHECK(encoded.size() <= bytes.size());
  BRAID_CHECK(parse_mptcp_option(encoded, is_syn, is_ack) == option);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0 || size > 256) return 0;
  const bool is_syn = (data[0] & 1) != 0, is_ack = (data[0] & 2) != 0;
  const auto input = std::as_bytes(std::span(data + 1, size - 1));
  std::vector<std::byte> bytes(input.begin(), input.end());
  check(bytes, is_syn, is_ack);
  if (bytes.size() < 2) return 0;
  // Once more with the frame put right, so that the search is for what is inside.
  bytes[0] = std::byte{kOptionKindMptcp};
  bytes[1] = static_cast<std::byte>(bytes.size());
  check(bytes, is_syn, is_ack);
  return 0;
}
