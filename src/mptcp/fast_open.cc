// TCP Fast Open (RFC 7413) with Multipath TCP (RFC 8684, appendix B). What a SYN carries is in the stream,
// and in the application's hands, but not in the data sequence space: IDSN + 1, and 1 as a mapping's subflow
// sequence number, is the first octet after it (figure 19). Here it has data offsets like all the rest, so
// the initial data sequence number that offsets count from lies as much earlier.
#include <algorithm>

#include "mptcp/connection_impl.h"

namespace braid::mptcp {

namespace {
/// RFC 9293, 3.7.1: of a server whose SYN/ACK had no MSS option.
constexpr uint16_t kDefaultMssV4 = 536, kDefaultMssV6 = 1220;
/// A SYN/ACK with a cookie may be dropped on its way for it: the later ones go without.
constexpr uint32_t kAnswersWithCookie = 2;
}  // namespace

// ---- as a client

void Connection::Impl::plan_fast_open() {
  if (!config.fast_open.as_client) return;
  FastOpenMemory::Advice advice;
  if (const FastOpenMemory* memory = env.fast_open_memory())
    advice = memory->advice(local.address, remote, now);
  fast_open.is_planned = advice.may_ask;
  fast_open.cookie = advice.cookie;
  fast_open.peer_mss = advice.mss;
  const bool can_carry_data = fast_open.cookie.has_value() || !config.fast_open.needs_cookie;
  fast_open.is_syn_deferred = fast_open.is_planned && can_carry_data && config.fast_open.waits_for_data;
}

/// The first SYN, when its data are there or will not come.
void Connection::Impl::start_connecting() {
  fast_open.is_syn_deferred = false;
  MptcpSubflow* subflow = initial();
  if (subflow == nullptr) return;
  subflow->connect(now);
  start_race();
  env.wake(self);
}

void Connection::Impl::send_deferred_syn() {
  if (fast_open.is_syn_deferred) start_connecting();
}

/// For the first SYN, from the address that the plan was made for: the cookie, or the wish for one. A cookie
/// without data would be for nothing.
std::optional<wire::FastOpenCookie> Connection::Impl::fast_open_option(const MptcpSubflow& subflow,
                                                                       uint32_t attempt) const {
  if (!fast_open.is_planned || attempt > 0 || subflow.tuple().local != local) return std::nullopt;
  if (fast_open.cookie.has_value() && sending.next == sending.buffer.end()) return std::nullopt;
  return fast_open.cookie.value_or(wire::FastOpenCookie{});
}

uint32_t Connection::Impl::poll_syn_data(MptcpSubflow& subflow, uint32_t max_bytes, uint32_t option_bytes) {
  if (!subflow.is_initial || !(fast_open.has_cookie_gone || may_send_without_cookie(subflow)) ||
      sending.next != DataOffset(1))
    return 0;
  const uint16_t assumed = remote.address.is_v4() ? kDefaultMssV4 : kDefaultMssV6;
  const uint32_t peer_mss = fast_open.peer_mss > 0 ? fast_open.peer_mss : assumed;
  if (peer_mss <= option_bytes) return 0;
  const uint64_t waiting = sending.buffer.end() - sending.next;
  const uint64_t granted = std::min<uint64_t>({waiting, max_bytes, peer_mss - option_bytes});
  if (granted == 0) return 0;
  push_map(subflow, {sending.next, sending.next + granted}, DataSource::kNew);
  fast_open.syn_bytes = static_cast<uint32_t>(granted);
  // Two SYNs with the same data would be two requests to the server's application.
  timer(ConnectionTimer::kRace) = kNever;
  return static_cast<uint32_t>(granted);
}

bool Connection::Impl::may_send_without_cookie(const MptcpSubflow& subflow) const {
  return fast_open.is_planned && !config.fast_open.needs_cookie && subflow.tuple().local == local;
}

/// What the SYN/ACK says of the SYN's cookie and data, for the next connection and for this one. Before the
/// keys are looked at: what they give depends on it.
void Connection::Impl::on_fast_open_answer(MptcpSubflow& subflow, const wire::TcpSegment& segment) {
  const uint32_t taken = segment.ack.value() - subflow.initial_send_seq().value() - 1;
  subflow.tx_unmapped = std::min(taken, fast_open.syn_bytes);
  if (fast_open.syn_bytes > 0)
    counters().add(subflow.tx_unmapped == fast_open.syn_bytes ? Counter::kTcpFastOpenActive
                                                              : Counter::kTcpFastOpenActiveFail);
  FastOpenMemory* memory = env.fast_open_memory();
  if (memory == nullptr || !fast_open.is_planned) return;
  const wire::IpAddress& from = subflow.tuple().local.address;
  const auto& option = segment.options.fast_open;
  const bool has_cookie = option.has_value() && !option->is_request();
  if (has_cookie) {
    const uint16_t assumed = remote.address.is_v4() ? kDefaultMssV4 : kDefaultMssV6;
    memory->on_cookie(from, remote, *option, segment.options.mss.value_or(assumed));
  }
  if (taken > 0)
    memory->on_taken(from, remote);
  else if ((fast_open.syn_bytes > 0 && !has_cookie) || (fast_open.has_cookie_gone && fast_open.has_timed_out))
    memory->on_failed(from, remote, now);
  else if (fast_open.was_option_sent && fast_open.has_timed_out && !has_cookie)
    memory->on_request_lost(from, remote, now);
}

/// What was taken is the application's already; the rest is mapped as if the SYN had not carried it.
void Connection::Impl::settle_syn_data(MptcpSubflow& subflow) {
  if (fast_open.syn_bytes == 0 || !negotiation.is_multipath() || subflow.tx.empty()) return;
  const DataOffset taken = DataOffset(1) + subflow.tx_unmapped;
  subflow.tx.split(StreamOffset(taken.value()), [&](const DataMap& map) {
    sending.buffer.retain(map.data_begin, taken);
    sending.buffer.retain(taken, map.data_end());
    sending.buffer.release(map.data_begin, map.data_end());
  });
  if (DataMap* rest = subflow.tx.find(StreamOffset(taken.value()))) {
    if (negotiation.is_checksummed) rest->checksum = checksum_of(subflow, *rest);
    timer(ConnectionTimer::kDataRetransmit) = now + data_rto();
  }
  sending.buffer.acknowledge(taken);
  on_data_progress();
}

/// The SYN led nowhere, and the next subflow begins anew.
void Connection::Impl::take_back_syn_data(MptcpSubflow& subflow) {
  if (fast_open.syn_bytes == 0 || was_established || subflow.tx.empty()) return;
  if (subflow.tx[0].stream_begin != StreamOffset(1)) return;
  sending.next = DataOffset(1);
  fast_open = {};
}

// ---- as a server

/// In SYN-RECEIVED there is no other than the SYN's: it comes before all mappings.
void Connection::Impl::on_syn_data(MptcpSubflow& subflow, Slice payload) {
  subflow.rx_unmapped = static_cast<uint32_t>(payload.size());
  if (negotiation.has_remote_key) negotiation.remote.idsn -= subflow.rx_unmapped;
  deliver(subflow, DataOffset(1), std::move(payload));
  on_delivered();
}

void Connection::Impl::set_remote_key(const MptcpSubflow& subflow, Key key) {
  negotiation.remote = derive(key, negotiation.version);
  negotiation.remote.idsn -= subflow.rx_unmapped;
  negotiation.has_remote_key = true;
}

/// The SYN's data are in: the application may have the connection, and answer (RFC 7413, 4.2.2).
void Connection::Impl::on_fast_opened(const wire::TcpSegment& syn) {
  fast_open.is_accepted = true;
  counters().add(Counter::kTcpFastOpenPassive);
  if (!negotiation.is_fallback()) sending.window_edge = DataOffset(1) + syn.window;
  raise(ConnectionEvent::kAcceptable);
  raise(ConnectionEvent::kWritable);
}

/// As long a cookie as there is room for beside the keys and the timestamps (RFC 8684, B.1).
std::optional<wire::FastOpenCookie> Connection::Impl::fast_open_answer(uint32_t attempt, size_t space) const {
  if (!negotiation.is_server || !fast_open.cookie.has_value() || attempt >= kAnswersWithCookie)
    return std::nullopt;
  const std::span<const std::byte> whole = fast_open.cookie->bytes();
  const size_t size = std::min(whole.size(), (space - std::min<size_t>(space, 2)) & ~size_t{1});
  if (size < config.fast_open.least_cookie_bytes) return std::nullopt;
  return wire::FastOpenCookie::of(whole.first(size));
}

}  // namespace braid::mptcp
