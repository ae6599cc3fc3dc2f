// A listener under pressure: SYNs answered without keeping anything, and connections made from the third ACK.
#include <algorithm>

#include "host/host_impl.h"
#include "mptcp/offer.h"
#include "tcp/timestamp_clock.h"

namespace braid::host {

using mptcp::Counter;
using Owner = ConnectionRecord::Owner;

void Host::Impl::answer_with_cookie(const wire::TcpSegment& syn, const Listener& listener) {
  const mptcp::ConnectionConfig& settings = listener.options.connection.value_or(config.connection);
  const tcp::SubflowConfig subflow =
      mptcp::subflow_config(settings, syn.tuple, mtu_of(syn.tuple.local.address));
  const wire::TcpOptions& offered = syn.options;
  const Seq32 cookie = cookies.issue(syn, now_);
  Reply reply;
  reply.tuple = syn.tuple;
  reply.seq = cookie;
  reply.ack = syn.seq + 1;
  reply.flags.syn = reply.flags.ack = true;
  reply.window = static_cast<uint16_t>(std::min<uint64_t>(settings.initial_receive_buffer_bytes, 65'535));
  Reply::SynAck& options = reply.syn_ack.emplace();
  options.mss = subflow.mss;
  // Without timestamps there is nowhere to keep the rest.
  if (subflow.use_timestamps && offered.timestamps.has_value()) {
    const tcp::TimestampClock clock(timestamp_offset(syn.tuple));
    wire::TcpOptions kept = offered;
    kept.sack_permitted = kept.sack_permitted && subflow.use_sack;
    reply.timestamps =
        wire::Timestamps{SynCookies::stamp(clock.value(now_), kept), offered.timestamps->value};
    if (offered.window_scale.has_value()) options.window_scale = subflow.window_scale;
    options.is_sack_permitted = kept.sack_permitted;
  }
  if (!mptcp::reason_to_decline(settings, offered).has_value()) {
    const auto* capable = wire::find<wire::MpCapable>(offered.mptcp);
    wire::MpCapable& answer = options.capable.emplace();
    answer.version = std::min(static_cast<uint8_t>(settings.highest_version), capable->version);
    answer.checksum_required = capable->checksum_required || settings.require_checksum;
    answer.deny_join_initial = answer.version > 0 && settings.deny_join_initial;
    answer.sender_key = cookies.key_of(syn.tuple, cookie);
    base_counters.add(Counter::kMpCapableSynRx);
    // The cookie gives this key and no other, so where its token is taken there is only plain TCP (RFC
    // 8684, 3.1).
    const auto version = static_cast<mptcp::Version>(answer.version);
    if (tokens.find(mptcp::derive(*answer.sender_key, version).token) != nullptr) {
      base_counters.add(Counter::kMpFallbackTokenInit);
      options.capable.reset();
    }
  }
  if (replies.push(reply)) base_counters.add(Counter::kTcpSyncookiesSent);
}

/// Whether the segment is, or may yet be, of a connection that began with a cookie.
bool Host::Impl::admit_by_cookie(const wire::TcpSegment& segment) {
  if (!cookies.is_in_use(now_) || !segment.flags.ack || segment.flags.syn || segment.flags.rst) return false;
  Listener* listener = listeners.match(segment.tuple.local, wire::hash(segment.tuple, 0));
  if (listener == nullptr) return false;
  std::optional<wire::TcpSegment> syn = cookies.restore(segment, now_);
  // A later segment of a connection whose third ACK was lost: that one is sent again, so no RST.
  if (!syn.has_value()) {
    base_counters.add(Counter::kTcpSyncookiesFailed);
    return true;
  }
  const auto* capable = wire::find<wire::MpCapable>(segment.options.mptcp);
  // Of an MPTCP peer, but without the keys: they come again with the first data.
  if (capable == nullptr && !segment.options.mptcp.empty()) return true;
  if (capable != nullptr) {
    wire::MpCapable offer;
    offer.version = capable->version;
    offer.checksum_required = capable->checksum_required;
    if (offer.version == 0) offer.sender_key = capable->sender_key;
    syn->options.mptcp.push_back(offer);
  }
  if (listener->waiting.size() > listener->options.backlog || records.size() >= config.max_connections) {
    base_counters.add(Counter::kTcpListenOverflows);
    return true;
  }
  base_counters.add(Counter::kTcpSyncookiesRecv);
  restoring = {segment.tuple, segment.ack - 1};
  mptcp::Connection* connection = accept_from(*listener, *syn, mptcp::SynOrigin::kCookie);
  restoring.reset();
  if (connection == nullptr) return true;
  if (const DemuxTable::Entry* entry = demux.find(segment.tuple))
    connection->on_segment_for(*entry->subflow, segment, now_);
  mark_dirty(*connection);
  return true;
}

}  // namespace braid::host
