// Two Subflows, each with a FakeUpper, and a faulty network between them, on a virtual clock. Everything
// follows from a seed.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>

#include "base/random.h"
#include "tcp/testing/fake_upper.h"
#include "tcp/testing/segments.h"

namespace braid::tcp::test {

/// What the network does to segments, one direction.
struct Faults {
  Duration delay = 10ms;
  double loss = 0, duplication = 0, reordering = 0;
  Duration reordering_delay = 5ms;   // at most, for a segment that is held up
  double rate_bytes_per_second = 0;  // 0: no limit
  Duration queue = 100ms;            // what waits longer for the rate is dropped
  bool cuts_super_segments = true;   // else they arrive as one, as receive offload has it
  uint64_t max_segments_lost = UINT64_MAX;
};

class Pair {
 public:
  struct End {
    End(ChunkPool& pool, uint64_t own_seed, uint64_t peer_seed) : upper(pool, own_seed, peer_seed) {}
    FakeUpper upper;
    SubflowConfig config;
    Faults faults;  // of what it sends
    std::unique_ptr<Subflow> subflow;
    Time line_free_at{};
    uint64_t sent = 0, lost = 0;
  };

  explicit Pair(uint64_t seed) : random(seed) {}

  void make() {
    const wire::Endpoint a{wire::IpAddress::v4(0xc0000201), 40000}, b{wire::IpAddress::v4(0xc0000202), 80};
    client.subflow = make_end(client, {a, b});
    server.subflow = make_end(server, {b, a});
  }
  /// Opens and steps until both ends are established.
  bool establish() {
    make();
    client.subflow->connect(now);
    flush();
    return drive(120s, [&] {
      return client.subflow->state() == State::kEstablished && server.subflow->state() == State::kEstablished;
    });
  }

  /// One event: the earliest of arrivals and timers. False if there is none.
  bool step() {
    const Time arrival = in_flight.empty() ? kNever : in_flight.begin()->first;
    const Time timer = earlier(client.subflow->next_deadline(), server.subflow->next_deadline());
    const Time next = earlier(arrival, timer);
    if (next == kNever) return false;
    now = std::max(now, next);
    if (arrival <= timer) {
      auto node = in_flight.extract(in_flight.begin());
      deliver(node.mapped());
    } else {
      for (End* end : {&client, &server}) end->subflow->advance(now);
    }
    flush();
    return true;
  }
  /// Steps until `is_done`; false if that takes longer than `limit`.
  template <class Done>
  bool drive(Duration limit, Done&& is_done) {
    const Time until = now + limit;
    while (!is_done()) {
      if (!step() || now > until) return is_done();
    }
    return true;
  }
  /// After a command from outside.
  void flush() {
    for (End* end : {&client, &server}) {
      Sink sink(*this, *end);
      end->subflow->poll_transmit(sink, now);
    }
  }

  ChunkPool pool;
  SeededRandom random;
  Time now{1000s};
  End client{pool, 1, 2}, server{pool, 2, 1};

 private:
  struct Packet {
    bool to_server = false;
    wire::TcpSegment segment;
  };
  class Sink : public SegmentSink {
   public:
    Sink(Pair& pair, End& from) : pair_(pair), from_(from) {}
    void send(wire::OutgoingSegment& segment) override {
      EXPECT_LE(segment.options.encoded_size(), wire::kMaxTcpOptionBytes);
      if (!from_.faults.cuts_super_segments) return pair_.put(from_, segment);
      wire::cut_super_segment(segment, [&](const wire::OutgoingSegment& piece) { pair_.put(from_, piece); });
    }

   private:
    Pair& pair_;
    End& from_;
  };

  std::unique_ptr<Subflow> make_end(End& end, const wire::FourTuple& tuple) {
    return std::make_unique<Subflow>(end.config, tuple, Seq32(random.next32()), random.next32(), end.upper,
                                     pool, make_congestion_control("reno", end.config.mss));
  }

  void put(End& from, const wire::OutgoingSegment& out) {
    const Faults& faults = from.faults;
    ++from.sent;
    Time leaves = now;
    if (faults.rate_bytes_per_second > 0) {
      leaves = std::max(now, from.line_free_at);
      if (leaves - now > faults.queue) {
        ++from.lost;
        return;
      }
      const double seconds = static_cast<double>(out.payload_size() + 60) / faults.rate_bytes_per_second;
      leaves += std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
      from.line_free_at = leaves;
    }
    if (from.lost < faults.max_segments_lost && random.unit() < faults.loss) {
      ++from.lost;
      return;
    }
    const int copies = random.unit() < faults.duplication ? 2 : 1;
    for (int i = 0; i < copies; ++i) {
      Time at = leaves + faults.delay;
      if (random.unit() < faults.reordering) {
        at += Duration(
            static_cast<int64_t>(random.below(static_cast<uint64_t>(faults.reordering_delay.count()))));
      }
      in_flight.emplace(at, Packet{&from == &client, arrive(out, pool)});
    }
  }

  void deliver(const Packet& packet) {
    End& end = packet.to_server ? server : client;
    if (&end == &server && server.subflow->state() == State::kClosed && !server.upper.closed) {
      if (packet.segment.flags.syn && !packet.segment.flags.ack) server.subflow->accept(packet.segment, now);
      return;
    }
    end.subflow->on_segment(packet.segment, now);
  }

  std::multimap<Time, Packet> in_flight;
};

}  // namespace braid::tcp::test
