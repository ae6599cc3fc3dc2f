// The same data on several subflows: what a redundant scheduler asks for.
//
// Each subflow goes through the data sequence space by itself: `copied_to` is how far it is. The peer sorts
// out what it gets twice, as with any reinjection. Memory is bounded: no copies are made while as much as
// a send buffer is held for the copies alone.
#include <algorithm>

#include "mptcp/connection_impl.h"

namespace braid::mptcp {

/// Also needed where nobody asks for redundancy any more: the copies are still under way.
DataOffset MptcpSubflow::first_not_carried(DataOffset offset) const {
  for (size_t i = 0; i < tx.size(); ++i) {
    if (tx[i].data_begin <= offset && offset < tx[i].data_end()) return tx[i].data_end();
  }
  return offset;
}

/// Plain TCP has one subflow, whose stream is the data.
bool Connection::Impl::is_redundant() const {
  return subflows.size() > 1 && negotiation.is_multipath() && scheduler->is_redundant();
}

/// A scheduler begins its work. What is outstanding lies on one subflow or the other as it happens; from what
/// is granted now on, `copied_to` alone tells.
void Connection::Impl::begin_copies() {
  if (!scheduler->is_redundant()) return;
  sending.has_copies = true;
  sending.shared_from = sending.next;
  for (const auto& subflow : subflows) subflow->copied_to = sending.buffer.data_una();
}

/// What others carry and this subflow has not had yet.
std::optional<DataRange> Connection::Impl::next_copy(MptcpSubflow& subflow, uint64_t max_bytes) {
  DataOffset& at = subflow.copied_to;
  at = std::max(at, sending.buffer.data_una());
  while (at < sending.shared_from) {
    const DataOffset after = subflow.first_not_carried(at);
    if (after == at) break;
    at = after;
  }
  // What a slow path refers to stays in memory after it has arrived by another, in whole chunks: a segment
  // here and there of a fast stream would keep all of it.
  if (at >= sending.next || sending.buffer.shelved_bytes() >= sending.limit_bytes) return std::nullopt;
  DataOffset end = sending.next;
  if (at < sending.shared_from) {
    for (size_t i = 0; i < subflow.tx.size(); ++i) {
      if (subflow.tx[i].data_begin > at) end = std::min(end, subflow.tx[i].data_begin);
    }
  }
  const uint64_t bytes = std::min(ask_scheduler(subflow, end - at, true), max_bytes);
  if (bytes == 0) return std::nullopt;
  const DataRange copy{at, at + bytes};
  at = copy.end;
  return copy;
}

/// How much of the range, from its begin on, this subflow would not deliver without being told to: it neither
/// carries it nor comes to it by itself.
uint64_t Connection::Impl::reinjectable_bytes(const MptcpSubflow& subflow, DataRange range) const {
  if (is_redundant()) {
    if (range.begin >= subflow.copied_to) return 0;
    range.end = std::min(range.end, subflow.copied_to);
  }
  for (size_t i = 0; i < subflow.tx.size(); ++i) {
    const DataMap& map = subflow.tx[i];
    if (map.data_begin <= range.begin && range.begin < map.data_end()) return 0;
    if (map.data_begin > range.begin) range.end = std::min(range.end, map.data_begin);
  }
  return range.size();
}

}  // namespace braid::mptcp
