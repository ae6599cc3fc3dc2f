// A segment as a scenario writes it: `S. seq 0 ack 1 win 65535 <mss 1460, mpcapable v1 flags H key=$peer>`.
// Numbers are relative: sequence numbers to the initial ones of their subflow, data sequence numbers to the
// sender's initial one. What has its natural value is left out, in a script and in what is shown.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace braid::segments {

/// `backup` has no value; `id 3` has one; a list ("id 1 2 3") is one value with spaces.
struct OptionField {
  std::string name;
  std::string value;
};

struct OptionText {
  std::string name;  // "mss", "dss" ... as in docs/segment-tests.md
  std::vector<OptionField> fields;

  const std::string* find(std::string_view field) const;
  bool has(std::string_view field) const { return find(field) != nullptr; }
  void add(std::string_view field, std::string value = {});
  std::string to_string() const;
};

struct SegmentText {
  std::string flags;  // of "SFRPEWU.", in that order
  std::optional<int64_t> seq, ack;
  std::optional<uint32_t> len, win, urg;
  std::optional<uint32_t> tos;          // the IP header's traffic class, ECN included
  std::optional<uint32_t> ttl;          // IPv6's hop limit
  std::optional<std::string> from, to;  // other addresses than the path's (input only)
  std::optional<uint16_t> port;
  std::optional<uint64_t> data;  // its payload is the stream from that octet on (input only)
  bool is_corrupt = false;       // its payload is not what the peer sent (input only)
  bool is_checksum_bad = false;  // TCP's (input only)
  bool are_options_any = false;  // <*>
  std::vector<OptionText> options;
  std::vector<std::string> absent;  // "no ts" (expectation only)

  bool has_flag(char flag) const { return flags.find(flag) != std::string::npos; }
  std::string to_string() const;
};

/// What follows the `<` or `>`. ScriptError if it can't be read.
SegmentText parse_segment(std::string_view text);

/// Why `came` is not what was expected; nothing: it is. Options that say nothing about what is tested (mss,
/// ws, sackOK, ts) are compared if the expectation has them, all others have to be the very same.
std::optional<std::string> difference(const SegmentText& expected, const SegmentText& came);

}  // namespace braid::segments
