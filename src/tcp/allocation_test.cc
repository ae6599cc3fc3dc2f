// Steady-state transfer allocates nothing per segment.
#include <cstdlib>
#include <new>

#include "tcp/testing/pair.h"

#if !defined(__SANITIZE_ADDRESS__)

namespace {
uint64_t allocations = 0;
}

// Not inlined, or the compiler sees malloc() meet a delete.
[[gnu::noinline]] void* operator new(size_t size) {
  ++allocations;
  void* memory = std::malloc(size);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace braid::tcp::test {
namespace {

/// A sender that has one block of memory, and a receiver that forgets what it gets.
class FlatUpper : public FakeUpper {
 public:
  explicit FlatUpper(ChunkPool& pool) : FakeUpper(pool), block_(pool.allocate(65'536), 0, 65'536) {}
  uint64_t delivered = 0;

  uint32_t poll_data(Subflow&, uint32_t max_bytes, Time) override {
    const uint32_t n = static_cast<uint32_t>(std::min<uint64_t>(pending, max_bytes));
    pending -= n;
    return n;
  }
  void fetch_payload(Subflow&, StreamOffset, uint32_t max_bytes, SegmentPayload& payload) override {
    payload.slices.push_back(block_.sub(0, max_bytes));
    payload.bytes = max_bytes;
  }
  void on_data(Subflow&, StreamOffset, Slice payload, Time) override { delivered += payload.size(); }

 private:
  Slice block_;
};

/// A wire that holds a round trip of segments; every `lose_every`th with payload is lost.
class Wire : public SegmentSink {
 public:
  explicit Wire(uint32_t lose_every) : lose_every_(lose_every) { segments_.reserve(4096); }
  void send(wire::OutgoingSegment& out) override {
    if (!out.payload.empty() && lose_every_ > 0 && ++count_ % lose_every_ == 0) return;
    wire::TcpSegment& in = segments_.emplace_back();
    in.tuple = {out.tuple.remote, out.tuple.local};
    in.seq = out.seq;
    in.ack = out.ack;
    in.flags = out.flags;
    in.window = out.window;
    in.options = out.options;
    if (!out.payload.empty()) in.payload = out.payload[0];
  }
  void deliver(Subflow& to, Time now) {
    for (const wire::TcpSegment& s : segments_) to.on_segment(s, now);
    segments_.clear();
  }
  const wire::TcpSegment& front() const { return segments_.front(); }
  void clear() { segments_.clear(); }

 private:
  uint32_t lose_every_;
  uint32_t count_ = 0;
  std::vector<wire::TcpSegment> segments_;
};

uint64_t allocations_of_transfer(uint32_t lose_every) {
  ChunkPool pool;
  FlatUpper sending(pool), receiving(pool);
  sending.pending = UINT64_MAX / 2;
  SubflowConfig config;
  config.max_super_segment = 1460;
  const wire::Endpoint a{wire::IpAddress::v4(1), 1}, b{wire::IpAddress::v4(2), 2};
  Subflow client(config, {a, b}, Seq32(1), 1, sending, pool, make_congestion_control("reno", 1460));
  Subflow server(config, {b, a}, Seq32(2), 2, receiving, pool, make_congestion_control("reno", 1460));
  Wire to_server(lose_every), to_client(0);
  Time now{1s};
  client.connect(now);
  client.poll_transmit(to_server, now);
  server.accept(to_server.front(), now);
  to_server.clear();
  const auto round = [&] {
    server.poll_transmit(to_client, now);
    now += 5ms;
    to_client.deliver(client, now);
    client.advance(now);
    client.poll_transmit(to_server, now);
    now += 5ms;
    to_server.deliver(server, now);
    server.advance(now);
  };
  for (int i = 0; i < 500; ++i) round();
  const uint64_t allocations_before = allocations, delivered_before = receiving.delivered;
  for (int i = 0; i < 500; ++i) round();
  EXPECT_GT(receiving.delivered - delivered_before, 500u * 1460);
  return allocations - allocations_before;
}

TEST(AllocationTest, InOrderTransferAllocatesNothing) { EXPECT_EQ(allocations_of_transfer(0), 0u); }

TEST(AllocationTest, TransferWithLossesAllocatesNothing) { EXPECT_EQ(allocations_of_transfer(97), 0u); }

}  // namespace
}  // namespace braid::tcp::test

#endif
