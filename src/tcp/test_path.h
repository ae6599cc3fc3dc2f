// For tests of loss recovery: a sender made of a LossRecovery and nothing else, a model receiver, and between
// them a path whose losses and delays a test decides packet by packet. Virtual time.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "tcp/loss_recovery.h"

namespace braid::tcp {

struct TestPacket {
  StreamOffset begin, end;
  Time sent_at;
  uint32_t attempt = 0;  // how often its first octet went out before
  size_t index = 0;      // of all packets
};

class TestPath {
 public:
  struct Options {
    RecoveryConfig recovery;
    std::string_view algorithm = "reno";
    uint64_t super_segment_bytes = 64'240;
    Duration delay = 50ms;             // one way
    double rate_bytes_per_second = 0;  // of the bottleneck; 0: no limit
    uint64_t queue_bytes = UINT64_MAX;
    bool has_timestamps = false;
    bool has_dsack = true;
    uint32_t ack_every = 1;  // segments, when in order
    std::optional<Duration> handshake_rtt = 100ms;
  };
  struct Transmission {
    Time at;
    ByteRange range;
    bool is_retransmission;
  };

  explicit TestPath(Options options)
      : options_(options),
        recovery(options.recovery, make_congestion_control(options.algorithm, options.recovery.mss_bytes)) {
    if (options.handshake_rtt) recovery.on_handshake_rtt(*options.handshake_rtt, now);
  }

  /// Decides what gets lost; nothing does by default.
  std::function<bool(const TestPacket&)> drop = [](const TestPacket&) { return false; };
  /// Added to the path's delay.
  std::function<Duration(const TestPacket&)> extra_delay = [](const TestPacket&) { return Duration(0); };
  std::function<bool(const AckInput&)> drop_ack = [](const AckInput&) { return false; };
  /// Looks at, or falsifies, every ACK before the sender gets it.
  std::function<void(AckInput&)> edit_ack = [](AckInput&) {};

  /// The application writes.
  void write(uint64_t bytes) {
    unsent_ += bytes;
    pump();
  }
  /// Runs until everything written is acknowledged (true), or until `limit` has gone by.
  bool run(Duration limit = 600s) {
    const Time end = now + limit;
    while (!is_done()) {
      if (!step(end)) return false;
    }
    return true;
  }
  void run_for(Duration time) {
    const Time end = now + time;
    while (step(end)) {
    }
    now = end;
  }
  bool is_done() const { return unsent_ == 0 && !recovery.has_outstanding(); }

  uint64_t retransmitted_bytes() const { return recovery.totals().retransmitted_bytes; }
  uint64_t delivered_bytes() const { return rcv_nxt_.value() - 1; }
  std::vector<Transmission> retransmissions() const {
    std::vector<Transmission> result;
    std::copy_if(sent.begin(), sent.end(), std::back_inserter(result),
                 [](const Transmission& t) { return t.is_retransmission; });
    return result;
  }

  Time now{1s};
  std::vector<Transmission> sent;
  std::vector<TimeoutAction> actions;
  std::vector<AckOutcome> outcomes;
  uint64_t max_in_flight = 0;

 private:
  Options options_;

 public:
  LossRecovery recovery;

 private:
  struct Arrival {
    enum class Kind : uint8_t { kPacket, kAck, kDelayedAck } kind = Kind::kPacket;
    TestPacket packet;
    AckInput ack;
    Time echoed;
  };

  bool step(Time limit) {
    const Time deadline = recovery.next_deadline();
    const Time arrival = events_.empty() ? kNever : events_.begin()->first;
    const Time next = earlier(deadline, arrival);
    if (next > limit) return false;
    now = std::max(now, next);
    if (++steps_ > kMaxSteps) {
      ADD_FAILURE() << "the sender spins";
      return false;
    }
    if (arrival <= deadline) {
      Arrival event = events_.begin()->second;
      events_.erase(events_.begin());
      switch (event.kind) {
        case Arrival::Kind::kPacket:
          on_packet(event.packet);
          break;
        case Arrival::Kind::kAck:
          on_ack(event);
          break;
        case Arrival::Kind::kDelayedAck:
          if (unacked_segments_ > 0) send_ack(std::nullopt, rcv_nxt_);
      }
    } else {
      on_deadline();
    }
    return true;
  }

  void on_deadline() {
    const TimeoutAction action = recovery.on_deadline(now);
    actions.push_back(action);
    if (action == TimeoutAction::kTailProbe) {
      if (unsent_ > 0) {
        send_new(std::min<uint64_t>(unsent_, options_.recovery.mss_bytes));
      } else if (const auto range = recovery.poll_tail_probe()) {
        send_again(*range);
      }
    }
    pump();
  }

  void pump() {
    recovery.before_send(now);
    for (;;) {
      const uint64_t room = std::min(recovery.allowance_bytes(), options_.super_segment_bytes);
      if (room == 0) return;
      if (const auto range = recovery.poll_retransmission(room)) {
        ASSERT_LE(range->size(), room);
        send_again(*range);
      } else if (unsent_ > 0) {
        send_new(std::min(room, unsent_));
      } else {
        recovery.on_application_limited();
        if (!recovery.poll_retransmission(room) || recovery.allowance_bytes() == 0) return;
      }
      ASSERT_LT(sent.size(), kMaxSteps);
    }
  }

  void send_new(uint64_t bytes) {
    const ByteRange range{recovery.snd_max(), recovery.snd_max() + bytes};
    recovery.on_sent(bytes, now);
    unsent_ -= bytes;
    transmit(range, false);
  }
  void send_again(ByteRange range) {
    ASSERT_LT(range.begin, range.end);
    ASSERT_GE(range.begin, recovery.snd_una());
    ASSERT_LE(range.end, recovery.snd_max());
    recovery.on_retransmitted(range, now);
    transmit(range, true);
  }

  void transmit(ByteRange range, bool is_retransmission) {
    sent.push_back({now, range, is_retransmission});
    ASSERT_LE(recovery.in_flight_bytes(), recovery.snd_max() - recovery.snd_una());
    max_in_flight = std::max(max_in_flight, recovery.in_flight_bytes());
    const uint32_t mss = options_.recovery.mss_bytes;
    for (StreamOffset at = range.begin; at < range.end;) {
      const StreamOffset end = std::min(at + mss, range.end);
      const TestPacket packet{at, end, now, attempts_[at.value()]++, packets_++};
      at = end;
      if (drop(packet)) continue;
      Time departs = now;
      if (options_.rate_bytes_per_second > 0) {
        const auto bytes_of = [&](Duration d) {
          return std::chrono::duration<double>(d).count() * options_.rate_bytes_per_second;
        };
        if (link_free_ > now && bytes_of(link_free_ - now) > static_cast<double>(options_.queue_bytes))
          continue;
        const double seconds =
            static_cast<double>(packet.end - packet.begin) / options_.rate_bytes_per_second;
        link_free_ = std::max(link_free_, now) +
                     std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
        departs = link_free_;
      }
      events_.emplace(departs + options_.delay + extra_delay(packet),
                      Arrival{Arrival::Kind::kPacket, packet, {}, {}});
    }
  }

  void on_packet(const TestPacket& packet) {
    if (packet.begin <= last_ack_sent_) recent_timestamp_ = tick(packet.sent_at);
    std::optional<ByteRange> duplicate;
    const bool is_repeat = packet.end <= rcv_nxt_ || covers(packet.begin, packet.end);
    if (is_repeat) duplicate = ByteRange{packet.begin, packet.end};
    const bool is_in_order = packet.begin == rcv_nxt_ && out_of_order_.empty();
    if (!is_repeat) insert(std::max(packet.begin, rcv_nxt_), packet.end);
    if (is_in_order && ++unacked_segments_ < options_.ack_every) {
      events_.emplace(now + 40ms, Arrival{Arrival::Kind::kDelayedAck, {}, {}, {}});
      return;
    }
    send_ack(duplicate, packet.begin);
  }

  void send_ack(std::optional<ByteRange> duplicate, StreamOffset latest) {
    unacked_segments_ = 0;
    last_ack_sent_ = rcv_nxt_;
    Arrival event;
    event.kind = Arrival::Kind::kAck;
    event.ack.ack = rcv_nxt_;
    if (options_.recovery.is_sack_enabled) {
      const size_t room = options_.has_timestamps ? 3 : 4;
      if (duplicate && options_.has_dsack) event.ack.sack.push_back(*duplicate);
      // The block with the latest segment first (RFC 2018, 4), then those reported most recently.
      for (const auto& [begin, end] : out_of_order_) {
        if (latest >= begin && latest < end) note_recent(begin);
      }
      for (const StreamOffset begin : recent_blocks_) {
        const auto it = out_of_order_.find(begin);
        if (it != out_of_order_.end() && event.ack.sack.size() < room) {
          event.ack.sack.push_back({it->first, it->second});
        }
      }
    }
    event.echoed = recent_timestamp_;
    if (drop_ack(event.ack)) return;
    events_.emplace(now + options_.delay, event);
  }

  void on_ack(Arrival& event) {
    if (event.ack.ack < recovery.snd_una()) return;
    event.ack.now = now;
    if (options_.has_timestamps && event.ack.ack > recovery.snd_una()) {
      event.ack.timestamp_rtt = tick(now) - event.echoed;
    }
    edit_ack(event.ack);
    outcomes.push_back(recovery.on_ack(event.ack));
    pump();
  }

  static Time tick(Time t) { return Time(t.time_since_epoch() / 1ms * 1ms); }
  bool covers(StreamOffset begin, StreamOffset end) const {
    return std::any_of(out_of_order_.begin(), out_of_order_.end(),
                       [&](const auto& run) { return run.first <= begin && end <= run.second; });
  }
  void note_recent(StreamOffset begin) {
    std::erase(recent_blocks_, begin);
    recent_blocks_.insert(recent_blocks_.begin(), begin);
    if (recent_blocks_.size() > 16) recent_blocks_.pop_back();
  }
  void insert(StreamOffset begin, StreamOffset end) {
    for (auto it = out_of_order_.begin(); it != out_of_order_.end();) {
      if (it->second < begin || it->first > end) {
        ++it;
        continue;
      }
      begin = std::min(begin, it->first);
      end = std::max(end, it->second);
      it = out_of_order_.erase(it);
    }
    if (begin <= rcv_nxt_) {
      rcv_nxt_ = end;
    } else {
      out_of_order_[begin] = end;
    }
  }

  static constexpr size_t kMaxSteps = 5'000'000;
  uint64_t unsent_ = 0;
  size_t steps_ = 0, packets_ = 0;
  std::multimap<Time, Arrival> events_;
  std::map<uint64_t, uint32_t> attempts_;
  Time link_free_{};
  StreamOffset rcv_nxt_{1}, last_ack_sent_{1};
  Time recent_timestamp_{};
  uint32_t unacked_segments_ = 0;
  std::map<StreamOffset, StreamOffset> out_of_order_;
  std::vector<StreamOffset> recent_blocks_;
};

}  // namespace braid::tcp
