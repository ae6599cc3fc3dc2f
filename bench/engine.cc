// What the engine alone costs: two hosts back to back in memory, an application that copies at both ends,
// honest ACKs. Time is the processor's, both stacks and the copies between them together.
#include <fmt/format.h>
#include <malloc.h>
#include <time.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/ring.h"
#include "host/host.h"

namespace {

using namespace braid;

constexpr Duration kOneWay = 50us;

double cpu_seconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

struct Case {
  std::string name;
  uint16_t mss = 1460;
  bool is_multipath = false;
  int subflows = 1;
  bool has_tcp_checksum = true;
  bool has_dss_checksum = false;
  bool has_super_segments = false;
};

// One direction of a wire between the hosts. The copy here is what a device's ring would cost.
class Wire final : public host::HostSink {
 public:
  explicit Wire(host::Host& to, bool is_checked) : to_(to), is_checked_(is_checked) {}

  void send(host::InterfaceId interface, wire::OutgoingPacket& packet) override {
    const size_t size = packet.size();
    ChunkRef chunk = to_.chunks().allocate(size);
    std::byte* at = chunk->data();
    std::memcpy(at, packet.header.data(), packet.header_size);
    at += packet.header_size;
    for (const Slice& slice : packet.payload) {
      std::memcpy(at, slice.data(), slice.size());
      at += slice.size();
    }
    if (size > packet.header_size) {
      const size_t payload = size - packet.header_size;
      data_packets_ += 1;
      data_segments_ += packet.gso_size == 0 ? 1 : (payload + packet.gso_size - 1) / packet.gso_size;
    }
    wire::ReceivedPacket received;
    received.bytes = Slice(std::move(chunk), 0, size);
    received.gso_size = packet.gso_size;
    received.checksum = is_checked_ ? wire::ChecksumState::kUnverified : wire::ChecksumState::kValid;
    queue_.push_back({interface, std::move(received)});
  }
  /// The receiver answers after each `batch` packets, by `back`: with 1 or 2, an ACK goes for every second
  /// segment.
  void deliver(size_t batch, Wire& back, Time now) {
    // What the receiver sends goes the other way, so this queue only shrinks.
    for (size_t n = 1; !queue_.empty(); ++n) {
      {
        const Entry entry = queue_.pop_front();
        to_.receive(entry.interface, entry.packet, now);
      }
      if (n % batch == 0) to_.transmit(back, now);
    }
  }
  uint64_t data_packets() const { return data_packets_; }
  uint64_t data_segments() const { return data_segments_; }

 private:
  struct Entry {
    host::InterfaceId interface = 0;
    wire::ReceivedPacket packet;
  };
  host::Host& to_;
  bool is_checked_;
  Ring<Entry> queue_;
  uint64_t data_packets_ = 0, data_segments_ = 0;
};

wire::IpAddress address(int path, int end) {
  return wire::IpAddress::v4(0xc6336400u + static_cast<uint32_t>(path * 16 + end));  // 198.51.100.x
}

class Pair {
 public:
  Pair(const Case& setup, uint64_t buffer_bytes, size_t batch)
      : batch_(batch),
        random_(7),
        client_(config(setup, buffer_bytes), random_, now_),
        server_(config(setup, buffer_bytes), random_, now_),
        to_client_(client_, setup.has_tcp_checksum),
        to_server_(server_, setup.has_tcp_checksum) {
    for (int path = 0; path < std::max(setup.subflows, 1); ++path) {
      client_.add_interface(interface(setup, address(path, 1)));
      server_.add_interface(interface(setup, address(path, 2)));
      if (path == 0) continue;
      mptcp::PathEndpoint endpoint;
      endpoint.address = address(path, 1);
      endpoint.is_subflow = true;
      if (!client_.add_endpoint(endpoint, now_)) throw std::runtime_error("endpoint refused");
    }
    listener_ = server_.listen({address(0, 2), 80}, {.backlog = 100'000}).value();
  }

  host::ConnectionId connect() { return client_.connect({address(0, 2), 80}, {}, now_).value(); }
  host::ConnectionId accept() { return server_.accept(listener_); }

  /// One round trip: both ends send what is due, time goes on, packets arrive.
  void round() {
    turn(client_, to_server_, to_client_);
    turn(server_, to_client_, to_server_);
  }
  /// Skips to the next timer when nothing was in the air.
  void settle() {
    for (int i = 0; i < 50; ++i) round();
  }
  void drain_events(host::Host& host) {
    while (host.poll_event()) {
    }
  }

  host::Host& client() { return client_; }
  host::Host& server() { return server_; }
  Wire& to_server() { return to_server_; }
  Time now() const { return now_; }

 private:
  void turn(host::Host& from, Wire& wire, Wire& back) {
    from.transmit(wire, now_);
    now_ += kOneWay;
    wire.deliver(batch_, back, now_);
    if (client_.next_deadline() <= now_) client_.advance(now_);
    if (server_.next_deadline() <= now_) server_.advance(now_);
  }
  static host::HostConfig config(const Case& setup, uint64_t buffer_bytes) {
    host::HostConfig config;
    config.paths.limits.subflows = 8;
    mptcp::ConnectionConfig& connection = config.connection;
    connection.is_multipath = setup.is_multipath;
    connection.require_checksum = setup.has_dss_checksum;
    connection.autotune = false;
    connection.send_buffer_bytes = connection.initial_send_buffer_bytes = buffer_bytes;
    connection.receive_buffer_bytes = connection.initial_receive_buffer_bytes = buffer_bytes;
    connection.subflow.mss = setup.mss;
    return config;
  }
  static host::InterfaceConfig interface(const Case& setup, const wire::IpAddress& local) {
    host::InterfaceConfig config;
    config.mtu = setup.mss + 40u;
    config.offload = setup.has_super_segments ? wire::OffloadSupport::kFull
                     : setup.has_tcp_checksum ? wire::OffloadSupport::kNone
                                              : wire::OffloadSupport::kChecksum;
    config.addresses = {{local, 28}};
    config.routes = {{wire::IpAddress::any(wire::Family::kV4), 0, 0}};
    return config;
  }

  size_t batch_;
  Time now_{};
  SeededRandom random_;
  host::Host client_, server_;
  Wire to_client_, to_server_;
  host::ListenerId listener_{};
};

struct Result {
  double ns_per_segment = 0, ns_per_packet = 0, ns_per_byte = 0, gbit_per_second = 0;
};

Result run_transfer(const Case& setup, uint64_t megabytes, uint64_t buffer_bytes, size_t batch) {
  Pair pair(setup, buffer_bytes, batch);
  const host::ConnectionId client_id = pair.connect();
  pair.settle();
  const host::ConnectionId server_id = pair.accept();
  if (server_id == host::ConnectionId::kNone) throw std::runtime_error("no connection: " + setup.name);
  pair.settle();

  std::vector<std::byte> out(64 * 1024, std::byte{0x5a}), in(64 * 1024);
  uint64_t received = 0;
  const auto transfer = [&](uint64_t bytes) {
    const uint64_t end = received + bytes;
    for (int idle = 0; received < end;) {
      mptcp::Connection* client = pair.client().find(client_id);
      mptcp::Connection* server = pair.server().find(server_id);
      if (client == nullptr || server == nullptr) throw std::runtime_error("connection lost");
      while (client->send(out, pair.now()) == out.size()) {
      }
      pair.round();
      const uint64_t before = received;
      server = pair.server().find(server_id);
      while (const size_t n = server->receive(in, pair.now())) received += n;
      pair.drain_events(pair.client());
      pair.drain_events(pair.server());
      idle = received == before ? idle + 1 : 0;
      if (idle > 1'000'000) throw std::runtime_error("transfer stalled: " + setup.name);
    }
  };
  transfer(std::min<uint64_t>(megabytes, 32) << 20);  // windows and pools reach their size
  const uint64_t segments_before = pair.to_server().data_segments();
  const uint64_t packets_before = pair.to_server().data_packets();
  const uint64_t received_before = received;
  const double start = cpu_seconds();
  transfer(megabytes << 20);
  const double seconds = cpu_seconds() - start;
  const auto subflows = pair.client().find(client_id)->info().subflows.size();
  if (subflows != static_cast<size_t>(std::max(setup.subflows, 1))) {
    throw std::runtime_error(fmt::format("{}: {} subflows", setup.name, subflows));
  }
  Result result;
  const auto bytes = static_cast<double>(received - received_before);
  result.ns_per_segment =
      seconds * 1e9 / static_cast<double>(pair.to_server().data_segments() - segments_before);
  result.ns_per_packet =
      seconds * 1e9 / static_cast<double>(pair.to_server().data_packets() - packets_before);
  result.ns_per_byte = seconds * 1e9 / bytes;
  result.gbit_per_second = bytes * 8 / seconds / 1e9;
  return result;
}

struct ConnectionResult {
  double us_per_connection = 0;  // connect, accept, close: both ends
  double bytes_per_endpoint = 0;
};

ConnectionResult run_connections(bool is_multipath, int count) {
  Case setup;
  setup.is_multipath = is_multipath;
  ConnectionResult result;
  {
    Pair pair(setup, 256u << 10, 1);
    const double start = cpu_seconds();
    constexpr int kBatch = 100;
    for (int done = 0; done < count; done += kBatch) {
      std::vector<host::ConnectionId> opened;
      for (int i = 0; i < kBatch; ++i) opened.push_back(pair.connect());
      for (int i = 0; i < 3; ++i) pair.round();
      for (auto id = pair.accept(); id != host::ConnectionId::kNone; id = pair.accept()) {
        pair.server().close(id, pair.now());
      }
      for (const host::ConnectionId id : opened) pair.client().close(id, pair.now());
      for (int i = 0; i < 4; ++i) pair.round();
      pair.drain_events(pair.client());
      pair.drain_events(pair.server());
    }
    result.us_per_connection = (cpu_seconds() - start) * 1e6 / count;
  }
  Pair pair(setup, 256u << 10, 1);
  constexpr int kIdle = 10'000;
  const auto before = static_cast<double>(mallinfo2().uordblks);
  for (int i = 0; i < kIdle; i += 1000) {
    for (int j = 0; j < 1000; ++j) pair.connect();
    for (int r = 0; r < 4; ++r) pair.round();
    while (pair.accept() != host::ConnectionId::kNone) {
    }
    pair.drain_events(pair.client());
    pair.drain_events(pair.server());
  }
  result.bytes_per_endpoint = (static_cast<double>(mallinfo2().uordblks) - before) / (2.0 * kIdle);
  return result;
}

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const uint16_t mss : {uint16_t{1460}, uint16_t{8960}}) {
    for (const bool is_super : {false, true}) {
      if (is_super && mss != 1460) continue;
      const std::string size = is_super ? "64K super" : fmt::format("MSS {}", mss);
      const auto add = [&](std::string_view what, bool is_multipath, int subflows, bool tcp_checksum,
                           bool dss_checksum) {
        all.push_back({fmt::format("{}, {}", size, what), mss, is_multipath, subflows, tcp_checksum,
                       dss_checksum, is_super});
      };
      // A device that cuts super-segments also does checksums.
      if (!is_super) {
        add("TCP, checksum", false, 1, true, false);
        add("MPTCP 1 subflow, checksum", true, 1, true, false);
        add("MPTCP 2 subflows, checksum", true, 2, true, false);
      }
      add("TCP", false, 1, false, false);
      add("MPTCP 1 subflow", true, 1, false, false);
      add("MPTCP 2 subflows", true, 2, false, false);
      add("MPTCP 2 subflows, DSS checksum", true, 2, false, true);
    }
  }
  return all;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"Cost of the engine alone: two hosts back to back in memory"};
  uint64_t megabytes = 256, buffer_kilobytes = 512;
  size_t batch = 1;
  int runs = 5, connections = 20'000;
  std::string only;
  bool is_json = false;
  app.add_option("--megabytes", megabytes, "Transferred per run");
  app.add_option("--buffer", buffer_kilobytes, "Send and receive buffer, KiB");
  app.add_option("--batch", batch, "Packets handed in before the host may answer")
      ->check(CLI::PositiveNumber);
  app.add_option("--runs", runs, "The best of so many is shown: others on the machine only add");
  app.add_option("--only", only, "Only cases whose name contains this");
  app.add_option("--connections", connections, "Connections to open and close; 0: leave that out");
  app.add_flag("--json", is_json, "Machine-readable");
  CLI11_PARSE(app, argc, argv);

  nlohmann::json report = nlohmann::json::array();
  if (!is_json) {
    fmt::print("{:<40} {:>10} {:>10} {:>8} {:>8}\n", "both ends together", "ns/segment", "ns/packet", "ns/B",
               "Gbit/s");
  }
  for (const Case& setup : cases()) {
    if (setup.name.find(only) == std::string::npos) continue;
    std::vector<Result> results;
    for (int i = 0; i < runs; ++i)
      results.push_back(run_transfer(setup, megabytes, buffer_kilobytes << 10, batch));
    std::sort(results.begin(), results.end(),
              [](const Result& a, const Result& b) { return a.ns_per_byte < b.ns_per_byte; });
    const Result& best = results.front();
    report.push_back({{"case", setup.name},
                      {"ns_per_segment", best.ns_per_segment},
                      {"ns_per_packet", best.ns_per_packet},
                      {"ns_per_byte", best.ns_per_byte},
                      {"gbit_per_second", best.gbit_per_second}});
    if (!is_json) {
      fmt::print("{:<40} {:>10.0f} {:>10.0f} {:>8.3f} {:>8.1f}\n", setup.name, best.ns_per_segment,
                 best.ns_per_packet, best.ns_per_byte, best.gbit_per_second);
      std::fflush(stdout);
    }
  }
  if (connections > 0 && only.empty()) {
    for (const bool is_multipath : {false, true}) {
      const ConnectionResult r = run_connections(is_multipath, connections);
      const std::string name = is_multipath ? "MPTCP" : "TCP";
      report.push_back({{"case", name + " connections"},
                        {"us_per_connection", r.us_per_connection},
                        {"bytes_per_endpoint", r.bytes_per_endpoint}});
      if (!is_json) {
        fmt::print("{}: connect, accept and close {:.1f} us ({:.0f}/s); idle endpoint {:.0f} B\n", name,
                   r.us_per_connection, 1e6 / r.us_per_connection, r.bytes_per_endpoint);
      }
    }
  }
  if (is_json) fmt::print("{}\n", report.dump(2));
  return 0;
}
