// What is left of closed connections for 2 MSL (RFC 9293, 3.6.1): a record each, bounded in number.
#pragma once

#include <optional>

#include "base/flat_map.h"
#include "base/ring.h"
#include "host/demux_table.h"
#include "host/rate_limit.h"
#include "host/reply.h"
#include "tcp/subflow.h"

namespace braid::host {

class TimeWaitTable {
 public:
  enum class Verdict : uint8_t {
    kUnknown,   // no record: the segment is not ours
    kIgnore,    // nothing to say
    kAnswer,    // send the reply
    kReusable,  // a SYN for a new incarnation (RFC 6191; RFC 1122, 4.2.2.13): the record is gone, accept it
  };
  struct Result {
    Verdict verdict = Verdict::kUnknown;
    Reply reply;
  };

  TimeWaitTable(RandomSource& random, size_t max_records)
      : records_(TupleHash{random.next64()}), max_records_(max_records) {}

  /// The oldest goes when the table is full.
  void insert(const tcp::TimeWaitRecord& record, Time now);
  void erase(const wire::FourTuple& tuple) { records_.erase(tuple); }
  bool contains(const wire::FourTuple& tuple, Time now) const;
  Result on_segment(const wire::TcpSegment& segment, Time now);
  /// Forgets what has run out. There is no deadline for it: a record that is past its time counts for
  /// nothing.
  void expire(Time now);
  size_t size() const { return records_.size(); }

 private:
  static bool is_new_incarnation(const tcp::TimeWaitRecord& record, const wire::TcpSegment& syn);
  void drop_oldest();

  struct Aged {
    wire::FourTuple tuple;
    Time until;
    uint64_t serial = 0;
  };
  struct Kept {
    tcp::TimeWaitRecord record;
    Duration duration{0};
    uint64_t serial = 0;
  };
  FlatMap<wire::FourTuple, Kept, TupleHash> records_;
  Ring<Aged> ages_;  // in order of arrival; one whose serial is not its record's means nothing
  uint64_t next_serial_ = 0;
  size_t max_records_;
  RateLimit acks_{500, 100};
};

}  // namespace braid::host
