// What happens next, in order of time; of two at the same time, the one that was asked for first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/time.h"

namespace braid::sim {

class EventQueue;

/// Something that wants to be called at a time: a link, a host, an event of the scenario. It waits for one
/// time at most; a link with a thousand packets under way has one entry in the queue.
class Actor {
 public:
  Actor() = default;
  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;
  /// Leaves the queue, if it is in one.
  virtual ~Actor();
  virtual void on_due(Time now) = 0;

 protected:
  /// What on_due() will look at first: fetched into the cache while the actor before it is at work. In a
  /// large network nearly every packet has left the cache when its turn comes. Never dereferenced.
  void will_look_at(const void* memory) { looked_at_ = memory; }

 private:
  friend class EventQueue;
  EventQueue* queue_ = nullptr;
  size_t position_ = 0;
  const void* looked_at_ = nullptr;
};

/// A 4-ary heap that knows where each actor stands in it. Allocates only to grow.
class EventQueue {
 public:
  EventQueue() = default;
  EventQueue(const EventQueue&) = delete;
  EventQueue& operator=(const EventQueue&) = delete;
  ~EventQueue();

  /// `actor` is called at `at`, and no longer at the time that it had. kNever: not at all.
  void schedule(Actor& actor, Time at);
  /// When the first is due; kNever: none.
  Time next() const { return heap_.empty() ? kNever : heap_.front().at; }
  /// Takes the first out and calls it with its time. Must not be empty.
  void run_first();
  uint64_t events_run() const { return events_run_; }

 private:
  friend class Actor;
  struct Entry {
    Time at;
    uint64_t order;
    Actor* actor;
    bool before(const Entry& other) const { return at != other.at ? at < other.at : order < other.order; }
  };
  void remove(Actor& actor);
  void remove_at(size_t position);
  void sift_up(size_t position, Entry entry);
  void sift_down(size_t position, Entry entry);
  void place(size_t position, const Entry& entry) {
    heap_[position] = entry;
    entry.actor->position_ = position;
  }

  std::vector<Entry> heap_;
  uint64_t next_order_ = 0, events_run_ = 0;
};

}  // namespace braid::sim
