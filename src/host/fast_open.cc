// What a listener makes of a SYN's Fast Open option (RFC 7413, 4.2.2 and 5.1).
#include <algorithm>

#include "host/host_impl.h"

namespace braid::host {

using mptcp::Counter;

mptcp::FastOpenAnswer Host::Impl::answer_fast_open(Listener& listener, const wire::TcpSegment& syn) {
  mptcp::FastOpenAnswer answer;
  const mptcp::ConnectionConfig& settings =
      listener.options.connection ? *listener.options.connection : config.connection;
  const mptcp::FastOpenConfig& fast_open = settings.fast_open;
  const auto& option = syn.options.fast_open;
  if (!fast_open.as_server) return answer;
  bool is_good = !fast_open.needs_cookie;
  if (option.has_value() && option->is_request()) {
    base_counters.add(Counter::kTcpFastOpenCookieReqd);
    answer.cookie = fast_open_cookies.issue(syn.tuple, now_);
  } else if (option.has_value()) {
    const auto verdict = fast_open_cookies.check(syn.tuple, *option, now_);
    using Verdict = FastOpenCookies::Verdict;
    if (verdict == Verdict::kBad) base_counters.add(Counter::kTcpFastOpenPassiveFail);
    if (verdict == Verdict::kGoodButOld) base_counters.add(Counter::kTcpFastOpenPassiveAltKey);
    if (verdict != Verdict::kGood) answer.cookie = fast_open_cookies.issue(syn.tuple, now_);
    is_good = is_good || verdict != Verdict::kBad;
  }
  if (!is_good || syn.payload.empty()) return answer;
  if (!listener.has_fast_open_room(fast_open.most_pending, now_)) {
    base_counters.add(Counter::kTcpFastOpenListenOverflow);
    return {};
  }
  answer.text = tcp::SynText::kTake;
  return answer;
}

/// The handshake is over, one way or the other.
void Host::Impl::end_fast_open(ConnectionRecord& record, bool was_reset) {
  if (record.fast_open_listener == ListenerId::kNone) return;
  Listener* listener = listeners.find(std::exchange(record.fast_open_listener, ListenerId::kNone));
  if (listener == nullptr) return;
  --listener->fast_open_pending;
  // Somebody at an address that shows a cookie of ours did not want the answer: those behind may be the
  // victims of who has collected cookies. They count on for a while.
  if (was_reset) listener->fast_open_resets.push_back(now_ + kFastOpenResetMemory);
}

bool Listener::has_fast_open_room(uint32_t most, Time now) {
  while (!fast_open_resets.empty() && fast_open_resets.front() <= now) fast_open_resets.pop_front();
  return fast_open_pending + fast_open_resets.size() < most;
}

}  // namespace braid::host
