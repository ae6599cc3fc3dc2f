#include "host/time_wait_table.h"

namespace braid::host {

void TimeWaitTable::insert(const tcp::TimeWaitRecord& record, Time now) {
  expire(now);
  if (max_records_ == 0 || record.until <= now) return;
  records_.erase(record.tuple);
  while (records_.size() >= max_records_ && !ages_.empty()) drop_oldest();
  records_.insert(record.tuple, {record, record.until - now, next_serial_});
  ages_.push_back({record.tuple, record.until, next_serial_});
  ++next_serial_;
}

bool TimeWaitTable::contains(const wire::FourTuple& tuple, Time now) const {
  const Kept* kept = records_.find(tuple);
  return kept != nullptr && kept->record.until > now;
}

void TimeWaitTable::expire(Time now) {
  while (!ages_.empty() && ages_.front().until <= now) {
    Aged aged = ages_.pop_front();
    const Kept* kept = records_.find(aged.tuple);
    if (kept == nullptr || kept->serial != aged.serial) continue;
    if (kept->record.until <= now) {
      records_.erase(aged.tuple);
    } else {  // renewed meanwhile
      aged.until = kept->record.until;
      ages_.push_back(aged);
    }
  }
  // Tuples that were used again leave their ages behind: those must not outgrow the records.
  while (ages_.size() > 2 * max_records_) drop_oldest();
}

void TimeWaitTable::drop_oldest() {
  const Aged aged = ages_.pop_front();
  const Kept* kept = records_.find(aged.tuple);
  if (kept != nullptr && kept->serial == aged.serial) records_.erase(aged.tuple);
}

bool TimeWaitTable::is_new_incarnation(const tcp::TimeWaitRecord& record, const wire::TcpSegment& syn) {
  if (!syn.flags.syn || syn.flags.ack || syn.flags.rst || syn.flags.fin) return false;
  if (syn.options.timestamps && record.last_timestamp) {
    const auto ahead = static_cast<int32_t>(syn.options.timestamps->value - *record.last_timestamp);
    if (ahead != 0) return ahead > 0;
  }
  return syn.seq.after(record.rcv_nxt);
}

TimeWaitTable::Result TimeWaitTable::on_segment(const wire::TcpSegment& segment, Time now) {
  Kept* kept = records_.find(segment.tuple);
  if (kept == nullptr) return {};
  tcp::TimeWaitRecord& record = kept->record;
  if (record.until <= now) {
    records_.erase(segment.tuple);
    return {};
  }
  if (segment.flags.rst) return {Verdict::kIgnore, {}};  // RFC 1337: a stray RST must not end the wait
  if (is_new_incarnation(record, segment)) {
    records_.erase(segment.tuple);
    return {Verdict::kReusable, {}};
  }
  // The peer's FIN again: our last ACK was lost, the wait begins anew (RFC 9293, 3.10.7.4, eighth).
  if (segment.flags.fin && segment.seq + segment.sequence_length() == record.rcv_nxt) {
    record.until = now + kept->duration;
  } else if (segment.seq == record.rcv_nxt && segment.sequence_length() == 0) {
    return {Verdict::kIgnore, {}};
  }
  if (!acks_.take(now)) return {Verdict::kIgnore, {}};
  Result result{Verdict::kAnswer, {}};
  Reply& reply = result.reply;
  reply.tuple = record.tuple;
  reply.seq = record.snd_nxt;
  reply.ack = record.rcv_nxt;
  reply.flags.ack = true;
  reply.window = record.window;
  if (record.last_timestamp)
    reply.timestamps = wire::Timestamps{record.our_timestamp, *record.last_timestamp};
  return result;
}

}  // namespace braid::host
