// What was sent and not yet acknowledged, as records: runs of octets that share their fate so far. The
// records tile [snd_una, snd_max) without gaps. A super-segment is one record; it is split when a SACK or a
// retransmission tells its parts apart, and SACKed neighbours are merged again, so a scoreboard walk never
// passes the same SACKed octets twice. Positions are looked up through a tree that a record enters when such
// a look-up first reaches it: while nothing is lost there is none, and sending and acknowledging touch only
// lists.
#pragma once

#include <boost/intrusive/list.hpp>
#include <boost/intrusive/set.hpp>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/sequence.h"
#include "base/time.h"
#include "tcp/loss_recovery.h"

namespace braid::tcp {

struct SentRecord {
  template <class Tag>
  using TreeHook =
      boost::intrusive::set_member_hook<boost::intrusive::optimize_size<true>,
                                        boost::intrusive::link_mode<boost::intrusive::normal_link>>;
  using ListHook =
      boost::intrusive::list_member_hook<boost::intrusive::link_mode<boost::intrusive::normal_link>>;

  uint64_t size() const { return end - begin; }
  bool is_in_flight() const { return !is_sacked && !is_lost; }
  /// In the order of transmission (RFC 8985, 5.2). Times would tie: a caller may send a lot in one instant.
  bool was_sent_before(uint64_t transmission_number, StreamOffset last) const {
    return transmission < transmission_number || (transmission == transmission_number && end < last);
  }

  StreamOffset begin, end;
  Time sent_at;                  // last transmission
  uint64_t transmission = 0;     // its number
  uint32_t segment_bytes = 0;    // the segments it was cut into on the wire
  uint32_t sacked_segments = 0;  // if SACKed: how many segments it stands for
  bool is_sacked = false;
  bool is_lost = false;  // thought lost, not yet sent again
  bool is_retransmitted = false;
  bool is_indexed = false;
  ListHook by_sequence;
  TreeHook<struct InIndex> by_position;  // linked while is_indexed
  TreeHook<struct InLost> by_loss;       // linked while is_lost
  ListHook by_time;                      // linked while in flight, and on the free list
};

/// Octets that an ACK newly reports as arrived: (part of) a record as it was before.
struct Delivery {
  StreamOffset begin, end;
  Time sent_at;
  uint64_t transmission;
  bool is_retransmitted;
  bool was_lost;
  uint64_t size() const { return end - begin; }
};

class SentQueue {
 public:
  /// The first octet that will be sent.
  explicit SentQueue(StreamOffset start) : snd_una_(start), snd_max_(start) {}
  /// Octets before `start` are done with; nothing was appended yet.
  void begin_at(StreamOffset start) { snd_una_ = snd_max_ = start; }
  SentQueue(const SentQueue&) = delete;
  SentQueue& operator=(const SentQueue&) = delete;

  StreamOffset snd_una() const { return snd_una_; }
  StreamOffset snd_max() const { return snd_max_; }
  bool empty() const { return snd_una_ == snd_max_; }
  uint64_t outstanding_bytes() const { return snd_max_ - snd_una_; }
  uint64_t sacked_bytes() const { return sacked_bytes_; }
  uint64_t lost_bytes() const { return lost_bytes_; }
  uint64_t in_flight_bytes() const { return outstanding_bytes() - sacked_bytes_ - lost_bytes_; }
  uint64_t sacked_segments() const { return sacked_segments_; }
  size_t record_count() const { return by_sequence_.size(); }
  /// The record that begins at snd_una; the queue is not empty.
  const SentRecord& head() const { return *by_sequence_.begin(); }
  /// When that octet was last sent; kNever if it is not outstanding. O(records before it).
  Time sent_at(StreamOffset offset) const;

  /// New octets at the end.
  void append(uint64_t bytes, uint32_t segment_bytes, Time now);

  /// Everything below `ack` arrived. `on_delivered(const Delivery&)` for each part not SACKed before, in
  /// sequence order. O(records removed).
  template <class F>
  void acknowledge(StreamOffset ack, F&& on_delivered) {
    while (!by_sequence_.empty()) {
      SentRecord& record = *by_sequence_.begin();
      if (record.begin >= ack) break;
      const StreamOffset end = earliest(record.end, ack);
      if (!record.is_sacked) on_delivered(delivery_of(record, record.begin, end));
      if (end == record.end) {
        remove(record);
      } else {
        trim(record, ack);
      }
    }
    snd_una_ = ack;
  }

  /// The range arrived out of order; only what lies within (snd_una, snd_max) is looked at. Each record
  /// covered changes state once, so repeating a block costs a look-up and no more.
  template <class F>
  void mark_sacked(ByteRange block, F&& on_delivered) {
    auto it = first_overlapping(block.begin);
    while (it != by_sequence_.end() && it->begin < block.end) {
      if (it->is_sacked) {
        ++it;
        continue;
      }
      SentRecord* part = isolate(*it, {latest(it->begin, block.begin), earliest(it->end, block.end)});
      if (part == nullptr) {
        ++it;
        continue;
      }
      on_delivered(delivery_of(*part, part->begin, part->end));
      it = ++by_sequence_.iterator_to(become_sacked(*part));
    }
  }

  /// The range goes out again: its parts that are not SACKed are in flight again, from now.
  void mark_retransmitted(ByteRange range, Time now);

  /// Marks lost, oldest transmission first, records in flight while `is_lost(const SentRecord&)` says so; the
  /// first that is not ends it and is returned (nullptr: none left).
  template <class F>
  const SentRecord* mark_lost_while(F&& is_lost) {
    while (!by_time_.empty()) {
      SentRecord& record = by_time_.front();
      if (!is_lost(static_cast<const SentRecord&>(record))) return &record;
      become_lost(record);
    }
    return nullptr;
  }
  /// Marks the first `bytes` octets lost, as far as they are in flight.
  void mark_head_lost(uint64_t bytes);
  /// Marks lost what is in flight and went out in segments larger than this (they did not fit the path).
  void mark_larger_lost(uint32_t segment_bytes);
  /// Nothing is lost after all: everything so marked is in flight again.
  void clear_lost();
  /// The receiver has reneged (RFC 2018, 8): nothing is SACKed, what was is in flight again.
  void clear_sacked();

  /// The first run of lost octets, at most `max_bytes`, whole segments where possible; empty if there is
  /// none.
  ByteRange first_lost(uint64_t max_bytes) const;
  /// The last octets not SACKed, at most `max_bytes`; empty if there are none.
  ByteRange last_unsacked(uint64_t max_bytes) const;

 private:
  struct BeforeInSequence {
    bool operator()(const SentRecord& a, const SentRecord& b) const { return a.begin < b.begin; }
    bool operator()(StreamOffset a, const SentRecord& b) const { return a < b.begin; }
    bool operator()(const SentRecord& a, StreamOffset b) const { return a.begin < b; }
  };
  using BySequence = boost::intrusive::list<
      SentRecord, boost::intrusive::member_hook<SentRecord, SentRecord::ListHook, &SentRecord::by_sequence>,
      boost::intrusive::constant_time_size<true>>;
  using ByPosition =
      boost::intrusive::set<SentRecord, boost::intrusive::compare<BeforeInSequence>,
                            boost::intrusive::member_hook<SentRecord, SentRecord::TreeHook<struct InIndex>,
                                                          &SentRecord::by_position>,
                            boost::intrusive::constant_time_size<false>>;
  using ByLoss = boost::intrusive::set<
      SentRecord, boost::intrusive::compare<BeforeInSequence>,
      boost::intrusive::member_hook<SentRecord, SentRecord::TreeHook<struct InLost>, &SentRecord::by_loss>,
      boost::intrusive::constant_time_size<false>>;
  using ByTime = boost::intrusive::list<
      SentRecord, boost::intrusive::member_hook<SentRecord, SentRecord::ListHook, &SentRecord::by_time>,
      boost::intrusive::constant_time_size<false>>;

  static constexpr StreamOffset earliest(StreamOffset a, StreamOffset b) { return a < b ? a : b; }
  static constexpr StreamOffset latest(StreamOffset a, StreamOffset b) { return a < b ? b : a; }
  static Delivery delivery_of(const SentRecord& record, StreamOffset begin, StreamOffset end) {
    return {begin, end, record.sent_at, record.transmission, record.is_retransmitted, record.is_lost};
  }

  BySequence::iterator first_overlapping(StreamOffset offset);
  SentRecord* isolate(SentRecord& record, ByteRange part);
  SentRecord& split(SentRecord& record, StreamOffset at);
  SentRecord& become_sacked(SentRecord& record);
  void become_lost(SentRecord& record);
  void absorb_next(SentRecord& record);
  void trim(SentRecord& record, StreamOffset begin);
  void remove(SentRecord& record);
  void release(SentRecord& record);
  void leave_flight_or_loss(SentRecord& record);
  void sort_by_time();
  SentRecord& allocate();
  void grow_pool();

  StreamOffset snd_una_, snd_max_;
  uint64_t transmissions_ = 0;
  uint64_t sacked_bytes_ = 0;
  uint64_t lost_bytes_ = 0;
  uint64_t sacked_segments_ = 0;
  BySequence by_sequence_;
  ByPosition by_position_;  // the first so many of by_sequence_
  ByLoss by_loss_;
  ByTime by_time_;
  ByTime free_;
  std::vector<std::unique_ptr<SentRecord[]>> slabs_;
};

}  // namespace braid::tcp
