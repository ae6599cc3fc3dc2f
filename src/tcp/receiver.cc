#include "tcp/receiver.h"

#include <algorithm>

namespace braid::tcp {

void Receiver::on_duplicate(ByteRange range) {
  if (range.begin < range.end) duplicate_ = range;
}

std::optional<OutOfOrderQueue::Fragment> Receiver::pop_in_order() {
  if (queue_.empty()) return std::nullopt;
  auto fragment = queue_.pop(rcv_nxt_);
  if (fragment) rcv_nxt_ += fragment->slice.size();
  return fragment;
}

void Receiver::on_fin(StreamOffset offset) {
  if (!fin_at_ && !is_fin_consumed_) fin_at_ = offset;
}

bool Receiver::consume_fin() {
  if (is_fin_consumed_ || fin_at_ != rcv_nxt_) return false;
  is_fin_consumed_ = true;
  fin_at_.reset();
  rcv_nxt_ += 1;
  right_edge_ = std::max(right_edge_, rcv_nxt_);
  queue_.clear();  // a peer that sent beyond its own FIN
  return true;
}

boost::container::static_vector<wire::SackBlock, 4> Receiver::take_sack_blocks(size_t max_blocks) {
  boost::container::static_vector<wire::SackBlock, 4> blocks;
  max_blocks = std::min(max_blocks, blocks.capacity());
  const auto add = [&](ByteRange range) {
    blocks.push_back({wrap(range.begin, initial_seq_), wrap(range.end, initial_seq_)});
  };
  if (max_blocks == 0) return blocks;
  if (duplicate_) {
    add(*duplicate_);
    // A duplicate beyond the hole is followed by the run that holds it (RFC 2883, 4.1.2).
    const auto around = queue_.run_at(duplicate_->begin);
    if (around && blocks.size() < max_blocks) add(*around);
    duplicate_.reset();
    for (ByteRange run : queue_.recent_runs(max_blocks)) {
      if (blocks.size() >= max_blocks) break;
      if (around != run) add(run);
    }
    return blocks;
  }
  for (ByteRange run : queue_.recent_runs(max_blocks)) add(run);
  return blocks;
}

}  // namespace braid::tcp
