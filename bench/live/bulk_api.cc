// The same bulk transfer as bulk.cc, on Braid's C++ API: no daemon, no sockets, no copy of the payload in
// user space
// (--copy: one at each end, as read() and write() would make).
//
//   bulk_api sink PORT
//   bulk_api send ADDRESS PORT SECONDS

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "io/live_host.h"
#include "io/network.h"

namespace {

using namespace braid;

constexpr size_t kBlock = 256 * 1024;
constexpr Duration kTimeWait = 300ms;

template <class T>
T value_or_throw(io::Setup<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

class Bulk {
 public:
  explicit Bulk(bool is_copying) : is_copying_(is_copying), network_(value_or_throw(io::Network::open({}))) {
    host::HostConfig config;
    config.paths.limits = {.subflows = 8, .add_addr_accepted = 8};
    network_->configure(config);
    live_ = std::make_unique<io::LiveHost>(loop_, config);
    value_or_throw(network_->attach(*live_));
    live_->set_event_handler([this](const host::Event& event) { on_event(event); });
  }
  ~Bulk() { network_.reset(); }

  void sink(uint16_t port) {
    const wire::Endpoint local{wire::IpAddress::any(wire::Family::kV4), port};
    if (const int error = network_->claim_port(local); error != 0)
      throw std::runtime_error(std::strerror(error));
    if (const auto listener = host().listen(local, {}); !listener) {
      throw std::runtime_error(std::string(host::to_string(listener.error())));
    }
    fmt::print("listening\n");
    std::fflush(stdout);
    loop_.run();
  }

  void send(const wire::Endpoint& remote, Duration time) {
    const ChunkRef chunk = host().chunks().allocate(kBlock);
    std::memset(chunk->data(), 0, kBlock);
    block_ = Slice(chunk, 0, kBlock);
    const auto id = host().connect(remote, {}, loop_.now());
    if (!id) throw std::runtime_error(std::string(host::to_string(id.error())));
    connection_ = *id;
    is_sender_ = true;
    loop_.call_at(loop_.now() + time, [this] {
      is_time_up_ = true;
      host().find(connection_)->shut_down_send(loop_.now());
    });
    loop_.run();
    block_ = Slice();
  }

 private:
  host::Host& host() { return live_->host(); }

  void on_event(const host::Event& event) {
    using What = mptcp::ConnectionEvent;
    if (event.kind == host::Event::Kind::kAcceptable) {
      connection_ = host().accept(event.listener);
      drain();
      return;
    }
    if (event.connection != connection_) return;
    if (event.what == What::kFailed) {
      error_ = "the connection failed";
      loop_.stop();
    } else if (is_sender_ && (event.what == What::kEstablished || event.what == What::kWritable)) {
      fill();
    } else if (event.what == What::kReadable || event.what == What::kPeerClosed) {
      drain();
    } else if (event.what == What::kClosed) {
      report();
      // What the peer has lost of the last segments it asks for again: somebody has to be there to answer.
      loop_.call_at(loop_.now() + kTimeWait, [this] { loop_.stop(); });
    }
  }

  void fill() {
    mptcp::Connection* connection = host().find(connection_);
    while (!is_time_up_ && connection->send_room_bytes() > 0) {
      size_t taken = block_.size();
      if (is_copying_) {
        taken = connection->send(block_.bytes(), loop_.now());
      } else if (!connection->send(block_, loop_.now())) {
        return;
      }
      if (taken == 0) return;
      total_ += taken;
    }
    // send() says "full" by taking less than it was given; only then is there a kWritable to wait for.
    if (!is_time_up_) total_ += connection->send(block_.bytes().first(1), loop_.now());
  }

  void drain() {
    mptcp::Connection* connection = host().find(connection_);
    if (is_copying_) {
      while (const size_t n = connection->receive(copy_, loop_.now())) total_ += is_sender_ ? 0 : n;
    } else {
      std::array<std::span<const std::byte>, 64> runs;
      while (const size_t count = connection->readable_runs(runs)) {
        uint64_t bytes = 0;
        for (size_t i = 0; i < count; ++i) bytes += runs[i].size();
        connection->consume(bytes, loop_.now());
        total_ += is_sender_ ? 0 : bytes;
      }
    }
    if (connection->is_end_of_stream() && !is_sender_) connection->shut_down_send(loop_.now());
    if (connection->is_end_of_stream()) is_ended_ = true;
  }

  void report() {
    fmt::print("{}\n", total_);
    std::fflush(stdout);
  }

  bool is_copying_;
  io::EventLoop loop_;
  std::unique_ptr<io::LiveHost> live_;
  std::unique_ptr<io::Network> network_;
  host::ConnectionId connection_ = host::ConnectionId::kNone;
  Slice block_;
  std::vector<std::byte> copy_ = std::vector<std::byte>(kBlock);
  uint64_t total_ = 0;
  bool is_sender_ = false, is_time_up_ = false, is_ended_ = false;
  std::string error_;

 public:
  const std::string& error() const { return error_; }
  bool is_ended() const { return is_ended_; }
};

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Bulk transfer over Braid's C++ API"};
  app.require_subcommand(1);
  std::string address;
  uint16_t port = 0;
  double seconds = 0;
  bool is_copying = false;
  app.add_flag("--copy", is_copying, "copy the payload in and out, as sockets do");
  auto* sink_command = app.add_subcommand("sink");
  sink_command->add_option("port", port)->required();
  auto* send_command = app.add_subcommand("send");
  send_command->add_option("address", address)->required();
  send_command->add_option("port", port)->required();
  send_command->add_option("seconds", seconds)->required();
  CLI11_PARSE(app, argc, argv);
  try {
    Bulk bulk(is_copying);
    if (*sink_command) {
      bulk.sink(port);
    } else {
      const auto remote = wire::IpAddress::parse(address);
      if (!remote) throw std::runtime_error(address + ": not an address");
      bulk.send({*remote, port},
                std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds)));
    }
    if (!bulk.error().empty()) throw std::runtime_error(bulk.error());
  } catch (const std::exception& error) {
    fmt::print(stderr, "bulk_api: {}\n", error.what());
    return 1;
  }
  return 0;
}
