// Packets that came in: to their subflow, to a listener, to a connection by token, or to nobody.
#include "host/host_impl.h"

namespace braid::host {

using mptcp::Counter;
using Owner = ConnectionRecord::Owner;

void Host::Impl::receive(InterfaceId interface, const wire::ReceivedPacket& packet, Time now) {
  now_ = now;
  const Network::Interface* from = network.find(interface);
  if (from == nullptr || !from->is_up) return;
  const wire::ParsedPacket parsed = wire::parse_packet(packet);
  if (const auto* segment = std::get_if<wire::TcpSegment>(&parsed)) {
    on_segment(*segment);
  } else if (const auto* error = std::get_if<wire::IcmpError>(&parsed)) {
    on_icmp(*error);
  } else {
    count(std::get<wire::ParseError>(parsed));
  }
}

void Host::Impl::count(wire::ParseError error) {
  switch (error) {
    case wire::ParseError::kTruncated:
    case wire::ParseError::kBadVersion:
    case wire::ParseError::kBadHeaderLength:
    case wire::ParseError::kBadIpChecksum:
    case wire::ParseError::kFragment:
      base_counters.add(Counter::kIpInHdrErrors);
      return;
    case wire::ParseError::kNotTcp:
      base_counters.add(Counter::kIpInUnknownProtos);
      return;
    case wire::ParseError::kBadTcpHeader:
      base_counters.add(Counter::kTcpInErrs);
      return;
    case wire::ParseError::kBadTcpChecksum:
      base_counters.add(Counter::kTcpInErrs);
      base_counters.add(Counter::kTcpInCsumErrors);
      return;
    case wire::ParseError::kBadIcmp:
      base_counters.add(Counter::kIcmpInErrors);
      return;
  }
}

void Host::Impl::on_segment(const wire::TcpSegment& segment) {
  base_counters.add(Counter::kTcpInSegs, segment.segment_count);
  const DemuxTable::Entry* entry = demux.find(segment.tuple);
  if (entry == nullptr) {
    on_stray(segment);
    return;
  }
  mptcp::Connection& connection = *entry->connection;
  connection.on_segment_for(*entry->subflow, segment, now_);
  mark_dirty(connection);
}

void Host::Impl::on_icmp(const wire::IcmpError& error) {
  const DemuxTable::Entry* entry = demux.find(error.tuple);
  if (entry == nullptr) return;
  mptcp::Connection& connection = *entry->connection;
  connection.on_icmp_for(*entry->subflow, error, now_);
  mark_dirty(connection);
}

// A segment of no subflow: TIME-WAIT, a SYN, or the CLOSED state of RFC 9293, 3.10.7.1.
void Host::Impl::on_stray(const wire::TcpSegment& segment) {
  const wire::IpAddress& remote = segment.tuple.remote.address;
  if (!network.has_address(segment.tuple.local.address) || remote.is_multicast() || remote.is_unspecified() ||
      segment.tuple.local == segment.tuple.remote) {
    base_counters.add(Counter::kIpInAddrErrors);
    return;
  }
  const TimeWaitTable::Result result = time_wait.on_segment(segment, now_);
  switch (result.verdict) {
    case TimeWaitTable::Verdict::kIgnore:
      return;
    case TimeWaitTable::Verdict::kAnswer:
      replies.push(result.reply);
      return;
    case TimeWaitTable::Verdict::kReusable:
      base_counters.add(Counter::kTcpTimeWaitRecycled);
      break;
    case TimeWaitTable::Verdict::kUnknown:
      break;
  }
  const wire::TcpFlags& flags = segment.flags;
  if (!flags.syn || flags.ack || flags.rst || flags.fin) {
    if (!admit_by_cookie(segment)) reset(segment, std::nullopt);
  } else if (const auto* join = wire::find<wire::MpJoinSyn>(segment.options.mptcp)) {
    on_join_syn(segment, *join);
  } else {
    on_syn(segment);
  }
}

// To any address of ours, listener or not: the token alone decides (RFC 8684, 3.2).
void Host::Impl::on_join_syn(const wire::TcpSegment& segment, const wire::MpJoinSyn& join) {
  mptcp::Connection* connection = tokens.find(join.receiver_token);
  if (connection == nullptr) {
    base_counters.add(Counter::kJoinNoTokenFound);
    reset(segment, wire::ResetReason::kMptcpSpecific);
    return;
  }
  wire::ResetReason reason = wire::ResetReason::kUnspecified;
  if (connection->on_join(segment, join, reason, now_)) {
    mark_dirty(*connection);
  } else {
    reset(segment, reason);
  }
}

void Host::Impl::on_syn(const wire::TcpSegment& segment) {
  Listener* listener = listeners.match(segment.tuple.local, wire::hash(segment.tuple, 0));
  if (listener == nullptr) {
    reset(segment, std::nullopt);
    return;
  }
  const bool is_out_of_room = records.size() >= config.max_connections;
  if (!listener->is_full() && !is_out_of_room) {
    accept_from(*listener, segment, mptcp::SynOrigin::kWire);
  } else if (config.syn_cookies && !is_out_of_room && listener->waiting.size() <= listener->options.backlog) {
    // Handshakes fill it, not connections that the application leaves waiting.
    answer_with_cookie(segment, *listener);
  } else {
    base_counters.add(Counter::kTcpListenOverflows);
  }
}

mptcp::Connection* Host::Impl::accept_from(Listener& listener, const wire::TcpSegment& syn,
                                           mptcp::SynOrigin origin) {
  ConnectionRecord& record = new_record(Owner::kListener, listener.id);
  ++listener.handshaking;
  mptcp::FastOpenAnswer fast_open;
  if (origin == mptcp::SynOrigin::kWire) fast_open = answer_fast_open(listener, syn);
  if (fast_open.text == tcp::SynText::kTake) {
    record.fast_open_listener = listener.id;
    ++listener.fast_open_pending;
  }
  creating = &record;
  auto connection = mptcp::Connection::accept(listener.options.connection.value_or(config.connection), *this,
                                              syn, now_, origin, fast_open);
  creating = nullptr;
  if (connection == nullptr) {
    --listener.handshaking;
    records.remove(record.id);
    return nullptr;
  }
  adopt(record, std::move(connection));
  return record.connection.get();
}

void Host::Impl::reset(const wire::TcpSegment& segment, std::optional<wire::ResetReason> reason) {
  const std::optional<wire::OutgoingSegment> answer = tcp::reset_for(segment);
  if (!answer) return;
  Reply reply;
  reply.tuple = answer->tuple;
  reply.seq = answer->seq;
  reply.ack = answer->ack;
  reply.flags = answer->flags;
  if (reason) reply.reset_reason = wire::MpTcpRst{.reason = *reason};
  if (!resets.take(now_) || !replies.push(reply)) {
    base_counters.add(Counter::kBraidResetsLimited);
    return;
  }
  if (reason) base_counters.add(Counter::kMpRstTx);
}

}  // namespace braid::host
