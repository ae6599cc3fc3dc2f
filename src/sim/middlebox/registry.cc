#include "sim/middlebox/registry.h"

#include <fmt/format.h>

#include "sim/middlebox/coalescer.h"
#include "sim/middlebox/http_proxy.h"
#include "sim/middlebox/nat.h"
#include "sim/middlebox/option_remover.h"
#include "sim/middlebox/payload_rewriter.h"
#include "sim/middlebox/proactive_acker.h"
#include "sim/middlebox/retransmission_normaliser.h"
#include "sim/middlebox/sequence_rewriter.h"
#include "sim/middlebox/splitter.h"
#include "sim/middlebox/stateful_firewall.h"
#include "sim/middlebox/syn_option_dropper.h"

namespace braid::sim {

namespace {

using Made = std::unique_ptr<Middlebox>;

void read_direction(OptionReader& read, const char* fallback, bool& forward, bool& backward) {
  const std::string direction = read.choice("direction", fallback, {"forward", "backward", "both"});
  forward = direction != "backward";
  backward = direction != "forward";
}

Made make_option_remover(OptionReader& read) {
  OptionRemover::Config config;
  config.options = read.list("options", {"mptcp"}, OptionRemover::removable_options());
  config.segments = read.list("segments", {}, OptionRemover::segment_kinds());
  read_direction(read, "both", config.forward, config.backward);
  config.from = read.duration("from", Duration(0));
  config.after_segments = static_cast<uint64_t>(read.integer("after_segments", 0, 0, INT64_MAX));
  return std::make_unique<OptionRemover>(config);
}

Made make_nat(OptionReader& read, uint64_t seed) {
  Nat::Config config;
  for (const char* key : {"outside", "outside6"}) {
    const std::string text = read.text(key, "");
    if (text.empty()) continue;
    const auto address = wire::IpAddress::parse(text);
    if (!address || address->is_v4() != (std::string_view(key) == "outside")) {
      read.complain(key, fmt::format("an IPv{} address, found \"{}\"",
                                     std::string_view(key) == "outside" ? 4 : 6, text));
      continue;
    }
    (address->is_v4() ? config.outside_v4 : config.outside_v6) = *address;
  }
  config.first_port = static_cast<uint16_t>(read.integer("first_port", config.first_port, 1, 65535));
  config.last_port =
      static_cast<uint16_t>(read.integer("last_port", config.last_port, config.first_port, 65535));
  config.idle_timeout = read.duration("idle_timeout", config.idle_timeout);
  config.transitory_timeout = read.duration("transitory_timeout", config.transitory_timeout);
  config.answers_unknown = read.flag("answers_unknown", false);
  return std::make_unique<Nat>(config, seed);
}

Made make_coalescer(OptionReader& read) {
  Coalescer::Config config;
  config.most_payload_bytes = static_cast<size_t>(read.integer("bytes", 1400, 2, 65000));
  config.hold = read.duration("hold", config.hold);
  config.keeps_last_options = read.choice("keeps", "first", {"first", "last"}) == "last";
  return std::make_unique<Coalescer>(config);
}

Made make_payload_rewriter(OptionReader& read) {
  PayloadRewriter::Config config;
  config.find = read.text("find", "");
  config.replace = read.text("replace", "");
  if (config.find.empty()) read.complain("find", "the bytes to look for");
  read_direction(read, "forward", config.forward, config.backward);
  config.most_times = static_cast<uint64_t>(read.integer("times", 1, 1, 100));
  return std::make_unique<PayloadRewriter>(config);
}

Made make_syn_option_dropper(OptionReader& read) {
  SynOptionDropper::Config config;
  const auto segments = read.list("segments", {"syn"}, {"syn", "synack"});
  config.drops_syn = std::ranges::count(segments, "syn") > 0;
  config.drops_syn_ack = std::ranges::count(segments, "synack") > 0;
  config.most = static_cast<uint64_t>(read.integer("first", INT64_MAX, 1, INT64_MAX));
  return std::make_unique<SynOptionDropper>(config);
}

Made make_firewall(OptionReader& read) {
  StatefulFirewall::Config config;
  config.requires_syn = read.flag("requires_syn", true);
  config.drops_unseen_acks = read.flag("drops_unseen_acks", false);
  config.drops_after_hole = read.flag("drops_after_hole", false);
  config.ignores_window_scale = read.flag("ignores_window_scale", false);
  return std::make_unique<StatefulFirewall>(config);
}

Made make_proactive_acker(OptionReader& read) {
  ProactiveAcker::Config config;
  config.most_bytes = static_cast<size_t>(read.integer("bytes", 48 * 1024, 2000, 1 << 28));
  config.retransmission_timeout = read.duration("retransmission_timeout", config.retransmission_timeout);
  return std::make_unique<ProactiveAcker>(config);
}

Made make(std::string_view name, OptionReader& read, uint64_t seed) {
  if (name == "option-remover") return make_option_remover(read);
  if (name == "nat") return make_nat(read, seed);
  if (name == "sequence-rewriter") return std::make_unique<SequenceRewriter>(seed);
  if (name == "splitter")
    return std::make_unique<Splitter>(static_cast<size_t>(read.integer("bytes", 536, 1, 65000)));
  if (name == "coalescer") return make_coalescer(read);
  if (name == "payload-rewriter") return make_payload_rewriter(read);
  if (name == "syn-option-dropper") return make_syn_option_dropper(read);
  if (name == "stateful-firewall") return make_firewall(read);
  if (name == "retransmission-normaliser")
    return std::make_unique<RetransmissionNormaliser>(
        static_cast<size_t>(read.integer("bytes", 1 << 20, 2000, 1 << 28)));
  if (name == "proactive-acker") return make_proactive_acker(read);
  if (name == "http-proxy")
    return std::make_unique<HttpProxy>(static_cast<uint16_t>(read.integer("port", 80, 1, 65535)), seed);
  return nullptr;
}

}  // namespace

const std::vector<MiddleboxKind>& list_middleboxes() {
  static const std::vector<MiddleboxKind> kinds = {
      {"option-remover",
       "replaces TCP options by NOPs",
       {"options (strings, [\"mptcp\"]): mptcp, mp_capable, mp_join, dss, add_addr, remove_addr, mp_prio, "
        "mp_fail, "
        "mp_fastclose, mp_tcprst, sack_permitted, sack, timestamps, window_scale, mss, unknown",
        "segments (strings, all): syn, synack, ack, data", "direction (forward, backward, both; both)",
        "from (duration, 0): since the flow was first seen", "after_segments (integer, 0): of the flow"}},
      {"nat",
       "source NAT; the link's first end is the inside",
       {"outside, outside6 (address, unchanged): what the outside sees",
        "first_port, last_port (20000, 60000)", "idle_timeout (duration, 300s)",
        "transitory_timeout (duration, 240s): before the handshake is over, after FIN or RST",
        "answers_unknown (bool, false): a RST to what has no mapping"}},
      {"sequence-rewriter", "shifts sequence numbers of each direction by a random number", {}},
      {"splitter",
       "cuts segments and copies the options to each piece",
       {"bytes (integer, 536): of payload, at most"}},
      {"coalescer",
       "joins segments that follow each other",
       {"bytes (integer, 1400): of payload, at most", "hold (duration, 5ms): how long a segment waits",
        "keeps (first, last; first): whose options"}},
      {"payload-rewriter",
       "replaces bytes, and mends sequence numbers when the length changes",
       {"find, replace (strings)", "direction (forward, backward, both; forward)",
        "times (integer, 1): a flow"}},
      {"syn-option-dropper",
       "drops SYNs that carry an MPTCP option",
       {"segments (strings, [\"syn\"]): syn, synack", "first (integer, all): so many of a flow"}},
      {"stateful-firewall",
       "drops what does not belong to a connection as it sees it",
       {"requires_syn (bool, true)", "drops_unseen_acks (bool, false): ACKs of data that did not pass here",
        "drops_after_hole (bool, false): data out of order",
        "ignores_window_scale (bool, false): data beyond the unscaled window"}},
      {"retransmission-normaliser",
       "puts the first copy in place of what a retransmission holds",
       {"bytes (integer, 1048576): remembered of a flow and direction"}},
      {"proactive-acker",
       "acknowledges data for the receiver, and repeats what is lost behind it",
       {"bytes (integer, 49152): held of a flow and direction", "retransmission_timeout (duration, 300ms)"}},
      {"http-proxy",
       "a transparent proxy: no options pass, own sequence numbers, early ACKs",
       {"port (integer, 80)"}},
  };
  return kinds;
}

tl::expected<std::unique_ptr<Middlebox>, std::string> make_middlebox(std::string_view name,
                                                                     const MiddleboxOptions& options,
                                                                     uint64_t seed) {
  OptionReader read(name, options);
  Made box = make(name, read, seed);
  if (box == nullptr) {
    std::string names;
    for (const MiddleboxKind& kind : list_middleboxes())
      names += fmt::format("{}{}", names.empty() ? "" : ", ", kind.name);
    return tl::unexpected(fmt::format("there is no middlebox \"{}\": one of {}", name, names));
  }
  if (std::string error = read.error(); !error.empty()) return tl::unexpected(std::move(error));
  return box;
}

}  // namespace braid::sim
