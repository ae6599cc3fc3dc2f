#include "relay/relay.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "base/chunk.h"
#include "relay/kernel_end.h"

namespace braid::relay {
namespace {

/// An end whose other side is the test.
struct ScriptedEnd final : StreamEnd {
  std::string incoming, outgoing;
  size_t room = 1000;
  bool incoming_ended = false, failed = false;
  bool is_finished = false, is_closed = false, is_reset = false;

  size_t readable_runs(std::span<Bytes> runs) override {
    if (incoming.empty()) return 0;
    const Bytes all = std::as_bytes(std::span(incoming));
    runs[0] = all.first((all.size() + 1) / 2);
    runs[1] = all.subspan((all.size() + 1) / 2);
    return runs[1].empty() ? 1 : 2;
  }
  void consume(size_t bytes) override { incoming.erase(0, bytes); }
  bool is_at_end() const override { return incoming_ended && incoming.empty(); }
  size_t write(std::span<const Bytes> runs) override {
    size_t taken = 0;
    for (const Bytes& run : runs) {
      const size_t n = std::min(run.size(), room);
      outgoing.append(reinterpret_cast<const char*>(run.data()), n);
      room -= n;
      taken += n;
    }
    return taken;
  }
  void finish() override { is_finished = true; }
  bool has_failed() const override { return failed; }
  void close() override { is_closed = true; }
  void reset() override { is_reset = true; }
  void change() { tell_change(); }
};

struct RelayTest : testing::Test {
  RelayTest() {
    auto a = std::make_unique<ScriptedEnd>(), b = std::make_unique<ScriptedEnd>();
    first = a.get(), second = b.get();
    relay = std::make_unique<Relay>(std::move(a), std::move(b), [this](Relay::End how) { end = how; });
  }
  ScriptedEnd* first;
  ScriptedEnd* second;
  std::unique_ptr<Relay> relay;
  std::optional<Relay::End> end;
};

TEST_F(RelayTest, CarriesBothWaysFromTheStart) {
  first->incoming = "request";
  second->incoming = "response";
  relay->start();
  EXPECT_EQ(second->outgoing, "request");
  EXPECT_EQ(first->outgoing, "response");
  EXPECT_EQ(relay->bytes_to_second(), 7u);
  EXPECT_EQ(relay->bytes_to_first(), 8u);
}

TEST_F(RelayTest, WhatTheSinkCannotTakeStaysInTheSource) {
  second->room = 3;
  first->incoming = "abcdefgh";
  relay->start();
  EXPECT_EQ(second->outgoing, "abc");
  EXPECT_EQ(first->incoming, "defgh");
  second->room = 100;
  second->change();
  EXPECT_EQ(second->outgoing, "abcdefgh");
  EXPECT_EQ(first->incoming, "");
}

TEST_F(RelayTest, EachDirectionEndsByItselfAndAfterItsLastByte) {
  second->room = 1;
  first->incoming = "ab";
  first->incoming_ended = true;
  relay->start();
  EXPECT_FALSE(second->is_finished);
  second->room = 9;
  second->change();
  EXPECT_TRUE(second->is_finished);
  EXPECT_FALSE(end.has_value());
  second->incoming = "late answer";
  second->incoming_ended = true;
  second->change();
  EXPECT_EQ(first->outgoing, "late answer");
  EXPECT_TRUE(first->is_finished);
  EXPECT_EQ(end, Relay::End::kFinished);
  EXPECT_TRUE(first->is_closed && second->is_closed);
  EXPECT_FALSE(first->is_reset || second->is_reset);
}

TEST_F(RelayTest, AResetOfOneIsAResetOfTheOther) {
  relay->start();
  second->failed = true;
  second->incoming = "last words";
  second->change();
  EXPECT_EQ(first->outgoing, "last words");
  EXPECT_TRUE(first->is_reset);
  EXPECT_EQ(end, Relay::End::kSecondReset);
  EXPECT_TRUE(relay->is_over());
}

TEST(RelayEnd, ARelayThatIsGivenUpResetsBothEnds) {
  struct Reporting final : StreamEnd {
    explicit Reporting(int& resets) : resets_(resets) {}
    size_t readable_runs(std::span<Bytes>) override { return 0; }
    void consume(size_t) override {}
    bool is_at_end() const override { return false; }
    size_t write(std::span<const Bytes>) override { return 0; }
    void finish() override {}
    bool has_failed() const override { return false; }
    void close() override {}
    void reset() override { ++resets_; }
    int& resets_;
  };
  int resets = 0;
  { Relay(std::make_unique<Reporting>(resets), std::make_unique<Reporting>(resets), {}); }
  EXPECT_EQ(resets, 2);
}

// ---- sockets of the kernel's

struct Listening {
  Listening() : fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size);
    getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
    listen(fd.get(), 4);
    at = {wire::IpAddress::v4(INADDR_LOOPBACK), ntohs(address.sin_port)};
  }
  io::FileDescriptor accept() const {
    io::FileDescriptor accepted(::accept(fd.get(), nullptr, nullptr));
    const timeval patience{.tv_sec = 10, .tv_usec = 0};
    setsockopt(accepted.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    return accepted;
  }
  io::FileDescriptor fd;
  wire::Endpoint at;
};

struct KernelEndTest : testing::Test {
  KernelEndTest() { begin(listening.at); }
  void begin(const wire::Endpoint& remote) {
    auto fd = start_kernel_connect(remote);
    ASSERT_TRUE(fd.has_value());
    end = std::make_unique<KernelEnd>(loop, pool, std::move(*fd));
  }
  template <class Condition>
  bool until(Condition condition) {
    const Time limit = io::read_clock() + 10s;
    while (!condition() && io::read_clock() < limit) loop.run_once(limit);
    return condition();
  }
  size_t write(std::string_view text) {
    const Bytes run = std::as_bytes(std::span(text));
    return end->write({&run, 1});
  }
  std::string read() {
    std::array<Bytes, 4> runs;
    std::string text;
    while (end->readable_runs(runs) != 0) {
      text.append(reinterpret_cast<const char*>(runs[0].data()), runs[0].size());
      end->consume(runs[0].size());
    }
    return text;
  }
  static std::string receive(const io::FileDescriptor& fd, size_t size) {
    std::string text(size, '\0');
    text.resize(static_cast<size_t>(std::max<ssize_t>(recv(fd.get(), text.data(), size, MSG_WAITALL), 0)));
    return text;
  }
  Listening listening;
  ChunkPool pool;
  io::EventLoop loop;
  std::unique_ptr<KernelEnd> end;
};

TEST_F(KernelEndTest, SendsThePreambleBeforeWhatIsWritten) {
  end->set_preamble("hello ");
  EXPECT_EQ(write("early"), 0u);
  ASSERT_TRUE(until([&] { return end->is_connected(); }));
  EXPECT_EQ(write("world"), 5u);
  const auto service = listening.accept();
  EXPECT_EQ(receive(service, 11), "hello world");
  end->finish();
  EXPECT_EQ(receive(service, 1), "");
  send(service.get(), "answer", 6, 0);
  shutdown(service.get(), SHUT_WR);
  std::string text;
  EXPECT_TRUE(until([&] {
    text += read();
    return end->is_at_end();
  }));
  EXPECT_EQ(text, "answer");
  EXPECT_FALSE(end->has_failed());
}

TEST_F(KernelEndTest, ARefusedConnectIsItsFailure) {
  listening.fd.reset();
  begin(listening.at);
  EXPECT_TRUE(until([&] { return end->has_failed(); }));
  EXPECT_EQ(end->error(), ECONNREFUSED);
  EXPECT_EQ(write("x"), 0u);
}

TEST_F(KernelEndTest, TakesNoMoreThanThereIsRoomForAndSaysWhenThereIsMore) {
  ASSERT_TRUE(until([&] { return end->is_connected(); }));
  const auto service = listening.accept();
  const std::string block(1 << 20, 'x');
  size_t written = 0;
  for (size_t taken = 1; taken > 0; written += taken) taken = write(block);
  ASSERT_LT(written, size_t{64} << 20);  // somewhere it ends
  bool is_told = false;
  end->set_change_handler([&] { is_told = true; });
  EXPECT_EQ(receive(service, written).size(), written);
  EXPECT_TRUE(until([&] { return is_told && write("y") == 1; }));
}

TEST_F(KernelEndTest, ASecondReadWaitsForTheFirstToBeTaken) {
  ASSERT_TRUE(until([&] { return end->is_connected(); }));
  const auto service = listening.accept();
  const std::string block(3000, 'a');
  send(service.get(), block.data(), block.size(), 0);
  std::array<Bytes, 4> runs;
  ASSERT_TRUE(until([&] { return end->readable_runs(runs) != 0; }));
  const size_t first = runs[0].size();
  end->consume(1);
  ASSERT_EQ(end->readable_runs(runs), 1u);
  EXPECT_EQ(runs[0].size(), first - 1);
  std::string rest;
  EXPECT_TRUE(until([&] {
    rest += read();
    return rest.size() == block.size() - 1;
  }));
  EXPECT_EQ(pool.bytes_in_use(), 0u);
}

TEST_F(KernelEndTest, AResetComesAfterTheBytesBeforeIt) {
  ASSERT_TRUE(until([&] { return end->is_connected(); }));
  auto service = listening.accept();
  write("unread by the service");
  send(service.get(), "sorry", 5, 0);
  service.reset();  // with unread bytes: a reset
  std::string text;
  EXPECT_TRUE(until([&] {
    text += read();
    return end->has_failed();
  }));
  EXPECT_EQ(text, "sorry");
  EXPECT_EQ(end->error(), ECONNRESET);
}

TEST_F(KernelEndTest, ResetIsAResetForTheService) {
  ASSERT_TRUE(until([&] { return end->is_connected(); }));
  const auto service = listening.accept();
  end->reset();
  char byte = 0;
  EXPECT_EQ(recv(service.get(), &byte, 1, 0), -1);
  EXPECT_EQ(errno, ECONNRESET);
}

}  // namespace
}  // namespace braid::relay
