// Bytes over real devices: Braid to Braid, and Braid to the kernel's TCP.
#include "io/live_host.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <cstring>
#include <future>

#include "io/network.h"
#include "io/test_namespace.h"

namespace braid::io {
namespace {

using testing::HasSubstr;

constexpr size_t kTransferBytes = 64u << 20;
constexpr uint16_t kPort = 8080;

std::byte pattern(uint64_t position) { return static_cast<std::byte>(position * 2654435761u >> 13); }

/// A Braid that sends or checks the pattern, on the calling thread's namespace.
class Peer {
 public:
  explicit Peer(const NetworkConfig& network_config = {}) {
    auto opened = Network::open(network_config);
    EXPECT_TRUE(opened.has_value()) << opened.error().message;
    network_ = std::move(*opened);
    host::HostConfig config;
    config.paths.limits = {.subflows = 8, .add_addr_accepted = 8};
    network_->configure(config);
    live_ = std::make_unique<LiveHost>(loop_, config);
    const auto attached = network_->attach(*live_);
    EXPECT_TRUE(attached.has_value()) << attached.error().message;
    live_->set_event_handler([this](const host::Event& event) { on_event(event); });
  }
  ~Peer() { network_.reset(); }

  LiveHost& live() { return *live_; }
  EventLoop& loop() { return loop_; }

  void listen(const wire::Endpoint& local) {
    EXPECT_EQ(network_->claim_port(local), 0);
    EXPECT_TRUE(live_->host().listen(local, {}).has_value());
  }
  void connect(const wire::Endpoint& remote) {
    const auto id = live_->host().connect(remote, {}, live_->now());
    ASSERT_TRUE(id.has_value());
    connection_ = *id;
  }
  /// Runs until the transfer is over (or `limit` has passed); octets received.
  uint64_t run(uint64_t bytes_to_send, Duration limit = 60s) {
    to_send_ = bytes_to_send;
    pump();
    const Time end = read_clock() + limit;
    while (!is_over_ && read_clock() < end) loop_.run_once(end);
    EXPECT_TRUE(is_over_) << "sent " << sent_ << ", received " << received_;
    // Lets the last ACKs out.
    const Time last = read_clock() + 100ms;
    while (read_clock() < last) loop_.run_once(last);
    return received_;
  }
  size_t most_subflows() const { return most_subflows_; }

 private:
  void on_event(const host::Event& event) {
    if (event.kind == host::Event::Kind::kAcceptable) connection_ = live_->host().accept(event.listener);
    if (event.kind == host::Event::Kind::kConnection && event.what == mptcp::ConnectionEvent::kFailed) {
      is_over_ = true;
    }
    pump();
  }

  void pump() {
    mptcp::Connection* connection = live_->host().find(connection_);
    if (connection == nullptr || is_over_) return;
    std::array<std::byte, 65536> block;
    while (const size_t size = connection->receive(block, live_->now())) {
      for (size_t i = 0; i < size; ++i) {
        if (block[i] == pattern(received_ + i)) continue;
        ADD_FAILURE() << "wrong octet at " << received_ + i;
        is_over_ = true;
        return;
      }
      received_ += size;
    }
    if (connection->is_established() && !is_sending_done_) send(*connection);
    most_subflows_ = std::max(most_subflows_, connection->info().subflows.size());
    if (connection->is_end_of_stream() && is_sending_done_) {
      live_->host().close(connection_, live_->now());
      connection_ = host::ConnectionId::kNone;
      is_over_ = true;
    }
  }

  void send(mptcp::Connection& connection) {
    std::array<std::byte, 65536> block;
    while (sent_ < to_send_) {
      const size_t size = std::min<uint64_t>(block.size(), to_send_ - sent_);
      for (size_t i = 0; i < size; ++i) block[i] = pattern(sent_ + i);
      const size_t taken = connection.send({block.data(), size}, live_->now());
      if (taken == 0) return;
      sent_ += taken;
    }
    connection.shut_down_send(live_->now());
    is_sending_done_ = true;
  }

  EventLoop loop_;
  std::unique_ptr<LiveHost> live_;
  std::unique_ptr<Network> network_;
  host::ConnectionId connection_ = host::ConnectionId::kNone;
  uint64_t to_send_ = 0, sent_ = 0, received_ = 0;
  size_t most_subflows_ = 0;
  bool is_sending_done_ = false, is_over_ = false;
};

sockaddr_in kernel_address(const char* text) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(kPort);
  std::memcpy(&address.sin_addr, wire::IpAddress::parse(text)->bytes().data(), 4);
  return address;
}

void kernel_send(int fd, uint64_t bytes) {
  std::vector<std::byte> block(1 << 20);
  for (uint64_t sent = 0; sent < bytes;) {
    const size_t size = std::min<uint64_t>(block.size(), bytes - sent);
    for (size_t i = 0; i < size; ++i) block[i] = pattern(sent + i);
    const ssize_t done = ::send(fd, block.data(), size, MSG_NOSIGNAL);
    ASSERT_GT(done, 0) << strerror(errno);
    sent += static_cast<size_t>(done);
  }
  shutdown(fd, SHUT_WR);
}

uint64_t kernel_receive(int fd) {
  std::vector<std::byte> block(1 << 20);
  uint64_t received = 0;
  for (;;) {
    const ssize_t size = recv(fd, block.data(), block.size(), 0);
    if (size <= 0) return received;
    for (ssize_t i = 0; i < size; ++i) {
      if (block[i] != pattern(received + i)) {
        ADD_FAILURE() << "wrong octet at " << received + i;
        return received;
      }
    }
    received += static_cast<size_t>(size);
  }
}

class LiveHostTest : public testing::Test {
 protected:
  void SetUp() override {
    BRAID_SKIP_WITHOUT_ROOT();
    here_ = std::make_unique<TestNamespace>("here");
    there_ = std::make_unique<TestNamespace>("there");
    connect_by_path(*here_, *there_, 0);
    connect_by_path(*here_, *there_, 1);
  }
  wire::Endpoint remote(const char* address) { return {*wire::IpAddress::parse(address), kPort}; }

  /// Runs a server of Braid's in the other namespace, and the client when it listens.
  template <class Client>
  void with_server(uint64_t server_sends, Client&& client) {
    std::promise<void> listening;
    std::atomic<uint64_t> served = 0;
    std::thread server([&] {
      there_->enter();
      Peer peer;
      peer.listen({wire::IpAddress::any(wire::Family::kV4), kPort});
      peer.listen({wire::IpAddress::any(wire::Family::kV6), kPort});
      listening.set_value();
      served = peer.run(server_sends);
    });
    listening.get_future().wait();
    here_->inside(client);
    server.join();
    served_ = served;
  }

  std::unique_ptr<TestNamespace> here_, there_;
  uint64_t served_ = 0;
};

TEST_F(LiveHostTest, BraidToBraidOverTwoPathsBothWaysAtOnce) {
  with_server(kTransferBytes, [&] {
    Peer peer;
    peer.connect(remote("192.0.2.2"));
    EXPECT_EQ(peer.run(kTransferBytes), kTransferBytes);
    EXPECT_GE(peer.most_subflows(), 2u);
  });
  EXPECT_EQ(served_, kTransferBytes);
}

TEST_F(LiveHostTest, BraidToBraidOverIpv6) {
  with_server(0, [&] {
    Peer peer;
    peer.connect(remote("2001:db8:2::2"));
    peer.run(kTransferBytes);
  });
  EXPECT_EQ(served_, kTransferBytes);
}

TEST_F(LiveHostTest, AKernelClientUploadsAndDownloads) {
  with_server(kTransferBytes, [&] {
    const FileDescriptor fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = kernel_address("192.0.2.2");
    ASSERT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    std::thread sender([&] { kernel_send(fd.get(), kTransferBytes); });
    EXPECT_EQ(kernel_receive(fd.get()), kTransferBytes);
    sender.join();
  });
  EXPECT_EQ(served_, kTransferBytes);
}

TEST_F(LiveHostTest, AKernelProgramOfTheSameMachineReachesBraid) {
  with_server(kTransferBytes, [&] {
    there_->inside([&] {
      const FileDescriptor fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
      const sockaddr_in address = kernel_address("192.0.2.2");
      ASSERT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
      shutdown(fd.get(), SHUT_WR);
      EXPECT_EQ(kernel_receive(fd.get()), kTransferBytes);
    });
  });
}

TEST_F(LiveHostTest, BraidReachesAnotherBraidOfTheSameMachine) {
  with_server(0, [&] {
    there_->inside([&] {
      Peer peer;
      peer.connect(remote("192.0.2.2"));
      peer.run(kTransferBytes);
    });
  });
  EXPECT_EQ(served_, kTransferBytes);
}

TEST_F(LiveHostTest, BraidToAKernelServer) {
  std::promise<void> listening;
  std::thread server([&] {
    there_->enter();
    const FileDescriptor listener(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = kernel_address("0.0.0.0");
    EXPECT_EQ(bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    EXPECT_EQ(::listen(listener.get(), 1), 0);
    listening.set_value();
    const FileDescriptor fd(accept(listener.get(), nullptr, nullptr));
    EXPECT_EQ(kernel_receive(fd.get()), kTransferBytes);
    kernel_send(fd.get(), kTransferBytes);
  });
  listening.get_future().wait();
  here_->inside([&] {
    Peer peer;
    peer.connect(remote("192.0.2.2"));
    EXPECT_EQ(peer.run(kTransferBytes), kTransferBytes);
  });
  server.join();
}

TEST_F(LiveHostTest, APlainDeviceWithAnAddressOfItsOwn) {
  NetworkConfig config;
  config.addresses = {{*wire::IpAddress::parse("203.0.113.7"), 24}};
  std::promise<void> listening;
  std::thread server([&] {
    there_->enter();
    Peer peer(config);
    peer.listen(remote("203.0.113.7"));
    listening.set_value();
    EXPECT_EQ(peer.run(0), 0u);
  });
  listening.get_future().wait();
  there_->inside([&] {
    const FileDescriptor fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const sockaddr_in address = kernel_address("203.0.113.7");
    ASSERT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
    shutdown(fd.get(), SHUT_WR);
    EXPECT_EQ(kernel_receive(fd.get()), 0u);
  });
  server.join();
}

TEST_F(LiveHostTest, AnIcmpErrorReachesTheConnectionThatItIsAbout) {
  here_->inside([&] {
    Peer peer;
    // On the link, but nobody there: the kernel finds no neighbour and says so to the sender.
    peer.connect(remote("192.0.2.77"));
    const Time start = read_clock();
    peer.run(0, 20s);
    EXPECT_LT(read_clock() - start, 15s);
  });
}

TEST_F(LiveHostTest, ACaptureIsReadable) {
  const std::string path = fmt::format("/tmp/braid-{}.pcap", getpid());
  with_server(1000, [&] {
    Peer peer;
    ASSERT_TRUE(peer.live().start_capture(path).has_value());
    peer.connect(remote("192.0.2.2"));
    EXPECT_EQ(peer.run(1000), 1000u);
  });
  const std::string text = shell("tshark -r " + path +
                                 " -o tcp.check_checksum:TRUE -T fields -e ip.src -e "
                                 "tcp.flags.str -e tcp.checksum.status 2>/dev/null");
  unlink(path.c_str());
  EXPECT_THAT(text, HasSubstr("192.0.2.1"));
  EXPECT_THAT(text, HasSubstr("192.0.2.2"));
}

}  // namespace
}  // namespace braid::io
