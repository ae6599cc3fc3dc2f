#include "wire/summary.h"

#include <fmt/format.h>

namespace braid::wire {

namespace {

std::string_view name_of(const MptcpOption& option) {
  struct Namer {
    std::string_view operator()(const Dss& o) const {
      if (!o.mapping.has_value()) return "DSS (DATA_ACK)";
      return o.data_fin ? "DSS (DATA_FIN)" : "DSS";
    }
    std::string_view operator()(const MpCapable&) const { return "MP_CAPABLE"; }
    std::string_view operator()(const MpJoinSyn&) const { return "MP_JOIN"; }
    std::string_view operator()(const MpJoinSynAck&) const { return "MP_JOIN"; }
    std::string_view operator()(const MpJoinAck&) const { return "MP_JOIN"; }
    std::string_view operator()(const AddAddr&) const { return "ADD_ADDR"; }
    std::string_view operator()(const RemoveAddr&) const { return "REMOVE_ADDR"; }
    std::string_view operator()(const MpPrio&) const { return "MP_PRIO"; }
    std::string_view operator()(const MpFail&) const { return "MP_FAIL"; }
    std::string_view operator()(const MpFastclose&) const { return "MP_FASTCLOSE"; }
    std::string_view operator()(const MpTcpRst&) const { return "MP_TCPRST"; }
  };
  return std::visit(Namer{}, option);
}

std::string flags_of(const TcpFlags& flags) {
  std::string out;
  const auto add = [&](bool is_set, std::string_view name) {
    if (!is_set) return;
    if (!out.empty()) out += '/';
    out += name;
  };
  add(flags.syn, "SYN");
  add(flags.fin, "FIN");
  add(flags.rst, "RST");
  add(flags.ack, "ACK");
  return out.empty() ? "segment" : out;
}

}  // namespace

std::string summary(const TcpSegment& segment) {
  std::string out = fmt::format("{} from {}, seq {}", flags_of(segment.flags),
                                segment.tuple.remote.to_string(), segment.seq.value());
  if (segment.flags.ack) out += fmt::format(", ack {}", segment.ack.value());
  out += fmt::format(", {} octets", segment.payload.size());
  if (segment.options.mptcp.empty()) out += ", no MPTCP option";
  for (const MptcpOption& option : segment.options.mptcp) out += fmt::format(", {}", name_of(option));
  return out;
}

}  // namespace braid::wire
