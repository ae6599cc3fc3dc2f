#include "relay/relay.h"

#include <array>

namespace braid::relay {

namespace {
constexpr size_t kRunsAtOnce = 64;
}  // namespace

Relay::Relay(std::unique_ptr<StreamEnd> first, std::unique_ptr<StreamEnd> second, EndHandler on_end)
    : first_(std::move(first)), second_(std::move(second)), on_end_(std::move(on_end)) {
  first_->set_change_handler([this] { run(); });
  second_->set_change_handler([this] { run(); });
}

Relay::~Relay() {
  if (is_over_) return;
  first_->reset();
  second_->reset();
}

void Relay::start() { run(); }

void Relay::run() {
  if (is_over_) return;
  // Before its failure each side may have said something that the other can still hear.
  carry(*first_, *second_, to_second_);
  carry(*second_, *first_, to_first_);
  if (first_->has_failed()) return end(End::kFirstReset);
  if (second_->has_failed()) return end(End::kSecondReset);
  if (to_second_.is_finished && to_first_.is_finished) end(End::kFinished);
}

void Relay::carry(StreamEnd& from, StreamEnd& to, Direction& direction) {
  std::array<Bytes, kRunsAtOnce> runs;
  // At least one of the two is an engine's connection, whose buffer bounds this.
  while (const size_t count = from.readable_runs(runs)) {
    size_t offered = 0;
    for (size_t i = 0; i < count; ++i) offered += runs[i].size();
    const size_t taken = to.write(std::span(runs).first(count));
    from.consume(taken);
    direction.bytes += taken;
    if (taken < offered) return;
  }
  if (direction.is_finished || !from.is_at_end()) return;
  direction.is_finished = true;
  to.finish();
}

void Relay::end(End how) {
  is_over_ = true;
  if (how == End::kFinished) {
    first_->close();
    second_->close();
  } else {
    first_->reset();
    second_->reset();
  }
  if (on_end_) on_end_(how);
}

}  // namespace braid::relay
