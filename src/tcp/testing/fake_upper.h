// An Upper for tests: its stream is a known pattern, so nothing is stored and every octet can be checked.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "tcp/subflow.h"
#include "tcp/upper.h"

namespace braid::tcp::test {

/// The octet at `offset` of the stream named `seed`.
inline std::byte pattern(uint64_t seed, StreamOffset offset) {
  uint64_t x = (offset.value() >> 3) * 0x9e3779b97f4a7c15 + seed * 0xbf58476d1ce4e5b9;
  x ^= x >> 29;
  x *= 0x94d049bb133111eb;
  return static_cast<std::byte>(x >> (8 * (offset.value() & 7)));
}

class FakeUpper : public Upper {
 public:
  explicit FakeUpper(ChunkPool& pool, uint64_t send_seed = 1, uint64_t receive_seed = 2)
      : pool_(&pool), send_seed_(send_seed), receive_seed_(receive_seed) {}

  // ---- what the application does
  uint64_t pending = 0;          // octets it still wants to send
  uint32_t map_bytes = 65535;    // longest grant
  uint64_t capacity = 1u << 20;  // of its receive buffer
  uint64_t shared_window_bytes = 0;
  bool reads_at_once = true;
  std::function<void(Subflow&)> on_data_hook;
  /// Options to add: called as add_options is.
  std::function<void(const SegmentContext&, wire::TcpOptions&, size_t space)> options_hook;
  std::function<SegmentVerdict(const wire::TcpSegment&)> verdict_hook;

  uint64_t unread() const { return received - read_; }
  /// Takes octets out of the receive buffer; the test then asks the subflow for an ACK if it wants one.
  void read(uint64_t bytes) { read_ += std::min(bytes, unread()); }

  // ---- what happened
  uint64_t granted = 0, received = 0;
  StreamOffset acked{1};
  std::vector<std::string> events;
  std::optional<CloseReason> closed;
  int established = 0, fins = 0, timeouts = 0, recovered = 0, fetches = 0;
  size_t least_space = 40;

  // ---- Upper
  uint32_t poll_data(Subflow&, uint32_t max_bytes, Time) override {
    const uint32_t n = static_cast<uint32_t>(std::min<uint64_t>({pending, max_bytes, map_bytes}));
    if (n == 0) return 0;
    pending -= n;
    granted += n;
    maps_.push_back(StreamOffset(1) + granted);
    return n;
  }
  void fetch_payload(Subflow&, StreamOffset offset, uint32_t max_bytes, SegmentPayload& payload) override {
    ++fetches;
    const StreamOffset end = StreamOffset(1) + granted;
    EXPECT_LT(offset, end);
    const auto map_end = std::upper_bound(maps_.begin(), maps_.end(), offset);
    const uint64_t n = std::min<uint64_t>(max_bytes, *map_end - offset);
    ChunkRef chunk = pool_->allocate(n);
    for (uint64_t i = 0; i < n; ++i) chunk->data()[i] = pattern(send_seed_, offset + i);
    payload.slices.push_back(Slice(std::move(chunk), 0, n));
    payload.bytes = static_cast<uint32_t>(n);
    payload.should_push = offset + n == end && pending == 0;
  }
  bool has_pending_data(const Subflow&) const override { return pending > 0; }
  void add_options(Subflow&, const SegmentContext& context, wire::TcpOptions& options, size_t space,
                   Time) override {
    least_space = std::min(least_space, space);
    if (options_hook) options_hook(context, options, space);
  }
  void on_acked(Subflow&, StreamOffset snd_una, Time) override {
    EXPECT_GE(snd_una, acked);
    acked = snd_una;
  }
  void on_retransmission_timeout(Subflow&, uint32_t count, Time) override {
    EXPECT_GE(count, 1u);
    ++timeouts;
  }
  void on_path_recovered(Subflow&, Time) override { ++recovered; }

  SegmentVerdict on_segment(Subflow&, const wire::TcpSegment& segment, uint64_t, Time) override {
    return verdict_hook ? verdict_hook(segment) : SegmentVerdict::kAccept;
  }
  void on_data(Subflow& subflow, StreamOffset offset, Slice payload, Time) override {
    EXPECT_EQ(fins, 0) << "text after the FIN";
    EXPECT_EQ(offset, StreamOffset(1) + received) << "out of order or twice";
    for (size_t i = 0; i < payload.size(); ++i) {
      if (payload.data()[i] == pattern(receive_seed_, offset + i)) continue;
      ADD_FAILURE() << "wrong octet at " << offset.value() + i;
      break;
    }
    received += payload.size();
    if (reads_at_once) read_ = received;
    if (on_data_hook) on_data_hook(subflow);
  }
  void on_fin(Subflow&, Time) override { ++fins; }
  uint64_t shared_window(const Subflow&) const override { return shared_window_bytes; }
  uint64_t receive_window(const Subflow&) const override {
    return capacity > unread() ? capacity - unread() : 0;
  }
  void on_established(Subflow&, Time) override { ++established; }
  void on_closed(Subflow&, CloseReason reason, Time) override {
    EXPECT_FALSE(closed.has_value()) << "closed twice";
    closed = reason;
  }

 private:
  ChunkPool* pool_;
  uint64_t send_seed_, receive_seed_;
  uint64_t read_ = 0;
  std::vector<StreamOffset> maps_;  // their ends
};

}  // namespace braid::tcp::test
