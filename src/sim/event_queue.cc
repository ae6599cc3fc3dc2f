#include "sim/event_queue.h"

#include "base/check.h"

namespace braid::sim {

namespace {
constexpr size_t kChildren = 4;
}

Actor::~Actor() {
  if (queue_ != nullptr) queue_->remove(*this);
}

EventQueue::~EventQueue() {
  for (const Entry& entry : heap_) entry.actor->queue_ = nullptr;
}

void EventQueue::schedule(Actor& actor, Time at) {
  if (at == kNever) {
    if (actor.queue_ != nullptr) remove(actor);
    return;
  }
  const Entry entry{at, next_order_++, &actor};
  if (actor.queue_ == nullptr) {
    actor.queue_ = this;
    heap_.push_back(entry);
    return sift_up(heap_.size() - 1, entry);
  }
  BRAID_CHECK(actor.queue_ == this);
  const size_t position = actor.position_;
  if (heap_[position].at == at) return;
  if (entry.before(heap_[position])) {
    sift_up(position, entry);
  } else {
    sift_down(position, entry);
  }
}

void EventQueue::run_first() {
  BRAID_CHECK(!heap_.empty());
  const Entry first = heap_.front();
  remove_at(0);
  first.actor->queue_ = nullptr;
  if (!heap_.empty()) __builtin_prefetch(heap_.front().actor->looked_at_);
  ++events_run_;
  first.actor->on_due(first.at);
}

void EventQueue::remove(Actor& actor) {
  remove_at(actor.position_);
  actor.queue_ = nullptr;
}

void EventQueue::remove_at(size_t position) {
  const Entry last = heap_.back();
  heap_.pop_back();
  if (position == heap_.size()) return;
  const Entry gone = heap_[position];
  if (last.before(gone)) {
    sift_up(position, last);
  } else {
    sift_down(position, last);
  }
}

void EventQueue::sift_up(size_t position, Entry entry) {
  while (position > 0) {
    const size_t parent = (position - 1) / kChildren;
    if (!entry.before(heap_[parent])) break;
    place(position, heap_[parent]);
    position = parent;
  }
  place(position, entry);
}

void EventQueue::sift_down(size_t position, Entry entry) {
  for (;;) {
    const size_t first = position * kChildren + 1;
    if (first >= heap_.size()) break;
    const size_t end = first + kChildren < heap_.size() ? first + kChildren : heap_.size();
    size_t least = first;
    for (size_t child = first + 1; child < end; ++child) {
      if (heap_[child].before(heap_[least])) least = child;
    }
    if (!heap_[least].before(entry)) break;
    place(position, heap_[least]);
    position = least;
  }
  place(position, entry);
}

}  // namespace braid::sim
