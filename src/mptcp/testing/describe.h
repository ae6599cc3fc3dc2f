// For tests: a segment in one line, as tcpdump would show it. BRAID_TRACE=1 prints every packet of a test.
#pragma once

#include <fmt/format.h>

#include <cstdlib>
#include <string>

#include "wire/tcp_segment.h"

namespace braid::mptcp::testing {

inline std::string describe(const wire::WideOrNarrow& number) {
  return fmt::format("{:x}/{}", number.value & 0xffffffff, number.is_wide ? 8 : 4);
}

inline std::string describe(const wire::MptcpOption& option) {
  struct Visitor {
    std::string operator()(const wire::Dss& o) const {
      std::string text = " dss";
      if (o.data_ack) text += " ack " + describe(*o.data_ack);
      if (o.mapping)
        text += fmt::format(" dsn {} ssn {} len {}{}", describe(o.mapping->data_seq), o.mapping->subflow_seq,
                            o.mapping->data_length, o.mapping->checksum ? " csum" : "");
      return o.data_fin ? text + " DATA_FIN" : text;
    }
    std::string operator()(const wire::MpCapable& o) const {
      return fmt::format(" capable{}{}{}", o.sender_key ? " key" : "", o.receiver_key ? " keys" : "",
                         o.data_length ? fmt::format(" len {}", *o.data_length) : "");
    }
    std::string operator()(const wire::MpJoinSyn& o) const {
      return fmt::format(" join id {}", o.address_id);
    }
    std::string operator()(const wire::MpJoinSynAck& o) const {
      return fmt::format(" join id {}", o.address_id);
    }
    std::string operator()(const wire::MpJoinAck&) const { return " join hmac"; }
    std::string operator()(const wire::AddAddr& o) const {
      return fmt::format(" add-addr{} id {} {}", o.is_echo ? " echo" : "", o.address_id,
                         o.address.to_string());
    }
    std::string operator()(const wire::RemoveAddr& o) const {
      return fmt::format(" remove-addr {}", o.address_ids.size());
    }
    std::string operator()(const wire::MpPrio& o) const { return o.backup ? " prio backup" : " prio"; }
    std::string operator()(const wire::MpFail&) const { return " fail"; }
    std::string operator()(const wire::MpFastclose&) const { return " fastclose"; }
    std::string operator()(const wire::MpTcpRst& o) const {
      return fmt::format(" rst-reason {}", static_cast<int>(o.reason));
    }
  };
  return std::visit(Visitor{}, option);
}

inline std::string describe(const wire::OutgoingSegment& s) {
  std::string text =
      fmt::format("{} > {} {}{}{}{}{} seq {:x} ack {:x} win {} len {}", s.tuple.local.to_string(),
                  s.tuple.remote.to_string(), s.flags.syn ? "S" : "", s.flags.fin ? "F" : "",
                  s.flags.rst ? "R" : "", s.flags.psh ? "P" : "", s.flags.ack ? "." : "", s.seq.value(),
                  s.ack.value(), s.window, s.payload_size());
  for (const auto& block : s.options.sack)
    text += fmt::format(" sack {:x}-{:x}", block.begin.value(), block.end.value());
  for (const auto& option : s.options.mptcp) text += describe(option);
  return text;
}

inline bool is_tracing() {
  static const bool is_set = std::getenv("BRAID_TRACE") != nullptr;
  return is_set;
}

}  // namespace braid::mptcp::testing
