// What a round of the loop takes in, and what goes out at its end.
#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <array>
#include <cstring>
#include <deque>
#include <thread>

#include "io/live_host.h"

namespace braid::io {
namespace {

/// A wire to the other end in memory; what is sent waits there until the other end's loop runs.
class MemoryDevice final : public PacketDevice {
 public:
  MemoryDevice() : waiting_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  MemoryDevice* other = nullptr;

  void send(wire::OutgoingPacket& packet) override {
    std::vector<std::byte> bytes(packet.header_bytes().begin(), packet.header_bytes().end());
    for (const Slice& slice : packet.payload)
      bytes.insert(bytes.end(), slice.bytes().begin(), slice.bytes().end());
    ++counters_.sent_packets;
    other->packets.push_back(std::move(bytes));
    eventfd_write(other->waiting_.get(), 1);
  }
  size_t receive(ChunkPool& pool, std::span<wire::ReceivedPacket> out) override {
    size_t count = 0;
    for (; count < out.size() && !packets.empty(); ++count) {
      out[count].bytes = copy_to_slice(pool, packets.front());
      packets.pop_front();
    }
    eventfd_t unwanted;
    if (packets.empty()) eventfd_read(waiting_.get(), &unwanted);
    return count;
  }
  const std::string& name() const override { return name_; }
  int descriptor() const override { return waiting_.get(); }
  wire::OffloadSupport offload() const override { return wire::OffloadSupport::kNone; }
  const DeviceCounters& counters() const override { return counters_; }

  std::deque<std::vector<std::byte>> packets;

 private:
  std::string name_ = "memory";
  FileDescriptor waiting_;
  DeviceCounters counters_;
};

struct End {
  explicit End(const char* address) : live(loop, {}) {
    auto made = std::make_unique<MemoryDevice>();
    device = made.get();
    live.attach(std::move(made));
    host::InterfaceConfig interface;
    interface.name = "memory";
    interface.addresses = {{.address = *wire::IpAddress::parse(address), .prefix_bits = 24}};
    live.add_interface(interface, *device);
    live.set_event_handler([this](const host::Event& event) {
      if (event.kind == host::Event::Kind::kAcceptable) connection = live.host().accept(event.listener);
      std::array<std::byte, 65536> block;
      if (auto* mine = live.host().find(connection))
        while (const size_t n = mine->receive(block, live.now())) received += n;
    });
  }
  void run_once() { loop.run_once(read_clock()); }
  size_t send(size_t bytes) {
    const std::vector<std::byte> data(bytes);
    return live.host().find(connection)->send(data, live.now());
  }

  EventLoop loop;
  LiveHost live;
  MemoryDevice* device = nullptr;
  host::ConnectionId connection = host::ConnectionId::kNone;
  uint64_t received = 0;
};

class LiveHostRound : public ::testing::Test {
 protected:
  LiveHostRound() {
    client.device->other = server.device;
    server.device->other = client.device;
    const wire::Endpoint remote{*wire::IpAddress::parse("192.0.2.2"), 80};
    EXPECT_TRUE(server.live.host().listen(remote, {}).has_value());
    client.connection = *client.live.host().connect(remote, {}, client.live.now());
    while (server.live.host().find(server.connection) == nullptr) run_both();
  }
  void run_both() {
    server.run_once();
    client.run_once();
  }
  /// Sends until the congestion window lets so many packets go at once; they wait at the other end then.
  static void send_burst(End& from, End& to, size_t packets) {
    const Time limit = read_clock() + std::chrono::seconds(20);
    for (uint64_t sent = to.received; read_clock() < limit;) {
      while (to.received < sent && read_clock() < limit) {
        to.run_once();
        from.run_once();
      }
      sent += from.send(packets * 1'500);
      from.run_once();
      if (to.device->packets.size() >= packets) return;
    }
    FAIL() << "no burst";
  }

  End client{"192.0.2.1"}, server{"192.0.2.2"};
};

// A queue that has grown was taken in pieces, and each was acknowledged: twice, once for the data and once
// for the room that the program made.
TEST_F(LiveHostRound, OneAckForAllThatWaits) {
  ASSERT_NO_FATAL_FAILURE(send_burst(client, server, 60));
  const uint64_t before = server.device->counters().sent_packets;
  server.run_once();
  EXPECT_TRUE(server.device->packets.empty());
  EXPECT_EQ(server.device->counters().sent_packets - before, 1u);
}

// A daemon that was late sent again what had been acknowledged: the ACKs were among the packets that it had
// not yet looked at.
TEST_F(LiveHostRound, TimersWaitForWhatHasCome) {
  // More than a round takes, though all the same.
  server.send(1);
  while (client.device->packets.empty()) server.run_once();
  std::deque<std::vector<std::byte>> many(400, client.device->packets.front());
  run_both();
  auto& waiting = client.device->packets;
  client.send(1);
  client.run_once();
  waiting = std::move(many);
  const size_t without_ack = waiting.size();
  while (waiting.size() == without_ack) server.run_once();
  std::this_thread::sleep_for(std::chrono::milliseconds(500));  // longer than any timer for that octet
  while (!waiting.empty()) client.run_once();
  EXPECT_EQ(client.live.host().counters()[mptcp::Counter::kTcpRetransSegs], 0u);
}

}  // namespace
}  // namespace braid::io
