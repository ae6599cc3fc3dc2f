#include <fmt/format.h>
#include <fmt/ranges.h>

#include "middleboxes/matrix.h"

namespace braid::middleboxes {

namespace {

using Strings = std::vector<std::string>;

std::string value_text(const sim::MiddleboxValue& value) {
  const auto quoted = [](const std::string& text) { return fmt::format("\"{}\"", text); };
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* integer = std::get_if<int64_t>(&value)) return fmt::format("{}", *integer);
  if (const auto* number = std::get_if<double>(&value)) return fmt::format("{}", *number);
  if (const auto* text = std::get_if<std::string>(&value)) return quoted(*text);
  Strings items;
  for (const std::string& item : std::get<Strings>(value)) items.push_back(quoted(item));
  return fmt::format("[{}]", fmt::join(items, ", "));
}

Row remover(const char* label, sim::MiddleboxOptions options,
            mptcp::FallbackReason reason = mptcp::FallbackReason::kNone, size_t paths = 2) {
  return {std::string("Remover") + label, "option-remover", std::move(options), reason, paths};
}

}  // namespace

const std::vector<Row>& rows() {
  using R = mptcp::FallbackReason;
  const auto text = [](const char* value) { return std::string(value); };
  const sim::MiddleboxOptions same_length = {
      {"find", text("AB")}, {"replace", text("ab")}, {"times", int64_t{100}}};
  const sim::MiddleboxOptions longer = {{"find", text("AB")},
                                        {"replace", text("abcd")},
                                        {"times", int64_t{100}}};  // each 65,000 octets, by chance
  static const std::vector<Row> made = {
      {"Nat", "nat", {}},
      {"NatAnswering", "nat", {{"answers_unknown", true}}},
      remover("Syn", {{"segments", Strings{"syn"}}}, R::kPeerNotCapable, 1),
      remover("SynAck", {{"segments", Strings{"synack"}}}, R::kPeerNotCapable, 1),
      remover("ThirdAck", {{"segments", Strings{"third_ack"}}}, R::kDataWithoutMapping, 1),
      remover("Acks", {{"segments", Strings{"ack"}}}, R::kDataWithoutMapping, 1),
      remover("Data", {{"segments", Strings{"data"}}}, R::kDataWithoutMapping, 1),
      remover("AllButSyns", {{"segments", Strings{"ack", "data"}}}, R::kDataWithoutMapping, 1),
      remover("All", {}, R::kPeerNotCapable, 1),
      remover("Forward", {{"segments", Strings{"ack", "data"}}, {"direction", text("forward")}},
              R::kDataWithoutMapping, 1),
      remover("Backward", {{"segments", Strings{"ack", "data"}}, {"direction", text("backward")}},
              R::kDataWithoutMapping, 1),
      remover("Dss", {{"options", Strings{"dss"}}}, R::kDataWithoutMapping, 1),
      remover("Join", {{"options", Strings{"mp_join"}}}),
      remover("AddAddr", {{"options", Strings{"add_addr"}}}, R::kNone, 1),
      remover("Sack", {{"options", Strings{"sack_permitted"}}}),
      remover("Timestamps", {{"options", Strings{"timestamps"}}, {"segments", Strings{"syn"}}}),
      remover("WindowScale", {{"options", Strings{"window_scale"}}, {"segments", Strings{"syn"}}}),
      remover("Mss", {{"options", Strings{"mss"}}}),
      {"DropperSyn", "syn-option-dropper", {}, R::kSynOptionDropped, 1},
      {"DropperSynAck", "syn-option-dropper", {{"segments", Strings{"synack"}}}, R::kPeerNotCapable, 1},
      {"DropperOnce", "syn-option-dropper", {{"first", int64_t{1}}}},
      {"Sequence", "sequence-rewriter", {}},
      {"Splitter", "splitter", {{"bytes", int64_t{500}}}},
      {"Coalescer", "coalescer", {{"bytes", int64_t{3000}}}, R::kNone, 1},
      {"CoalescerLast",
       "coalescer",
       {{"bytes", int64_t{3000}}, {"keeps", text("last")}},
       R::kNone,
       std::nullopt},
      {"Rewriter", "payload-rewriter", same_length},
      {"RewriterChecksum", "payload-rewriter", same_length, R::kPeerSentMpFail, 1, true},
      {"RewriterLonger", "payload-rewriter", longer},
      {"RewriterLongerChecksum", "payload-rewriter", longer, R::kPeerSentMpFail, 1, true},
      {"Firewall", "stateful-firewall", {}},
      {"FirewallUnseenAcks", "stateful-firewall", {{"drops_unseen_acks", true}}},
      {"FirewallHoles", "stateful-firewall", {{"drops_after_hole", true}}},
      {"FirewallWindow", "stateful-firewall", {{"ignores_window_scale", true}}},
      {"Normaliser", "retransmission-normaliser", {}},
      {"Acker", "proactive-acker", {}},
      {"HttpProxy", "http-proxy", {}, R::kPeerNotCapable, 1},
      {"MssClamper", "mss-clamper", {{"mss", int64_t{1200}}}},
      {"BlockerDrop", "port-blocker", {{"ports", int64_t{80}}}},
      {"BlockerReset", "port-blocker", {{"ports", int64_t{80}}, {"action", text("reset")}}},
  };
  return made;
}

std::string describe(const Row& row) {
  std::string text = fmt::format("`{}`", row.box);
  for (const auto& [name, value] : row.options) text += fmt::format(" `{} = {}`", name, value_text(value));
  if (row.has_checksum) text += ", with DSS checksums";
  return text;
}

std::string_view to_string(Place place) {
  switch (place) {
    case Place::kOnePath:
      return "one path";
    case Place::kOnePathLater:
      return "one path, later";
    case Place::kFirst:
      return "two: on the first";
    case Place::kSecond:
      return "on the second";
    case Place::kBoth:
      return "on both";
    case Place::kFirstLater:
      return "first, after the join";
    case Place::kSecondLater:
      return "second, after the join";
  }
  return "?";
}

}  // namespace braid::middleboxes
