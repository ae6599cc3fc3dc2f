#include "lab/agent.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "io/event_loop.h"
#include "lab/kernel_info.h"
#include "scenario/flows.h"
#include "scenario/player.h"
#include "scenario/world.h"

namespace braid::lab {

namespace {

using nlohmann::json;
using scenario::Player;

constexpr int kProtocolMptcp = 262;

void say(const json& message) {
  fmt::print("{}\n", message.dump());
  std::fflush(stdout);
}

socklen_t to_sockaddr(const wire::Endpoint& endpoint, sockaddr_storage& out) {
  out = {};
  if (endpoint.address.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(endpoint.port);
    std::memcpy(&v4.sin_addr, endpoint.address.bytes().data(), 4);
    std::memcpy(&out, &v4, sizeof(v4));
    return sizeof(v4);
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(endpoint.port);
  std::memcpy(&v6.sin6_addr, endpoint.address.bytes().data(), 16);
  std::memcpy(&out, &v6, sizeof(v6));
  return sizeof(v6);
}

/// One end of a connection.
class End final : public scenario::Stream {
 public:
  struct Setting {
    size_t number;
    const scenario::WorkloadSpec* spec;
    Player::Role role;
    wire::Endpoint server;
    uint64_t seed;
    bool is_linux, is_mptcp, no_delay;
    std::string congestion_control;
  };
  End(io::EventLoop& loop, const Setting& setting)
      : loop_(loop), setting_(setting), player_(*setting.spec, setting.role, setting.seed) {}
  ~End() override { close(); }

  // ---- commands
  void listen();
  void begin(Time begin);
  void sample();
  void report();

  // ---- Stream
  size_t send(std::span<const std::byte> bytes) override;
  size_t receive(std::span<std::byte> out) override;
  /// The server keeps its side open, so that what the stack says of the connection can still be asked.
  void shut_down_send() override {
    if (setting_.role == Player::Role::kClient) ::shutdown(socket_.get(), SHUT_WR);
  }
  bool is_end_of_stream() const override { return is_at_end_; }

 private:
  Time now() const { return Time(loop_.now() - begin_); }
  io::FileDescriptor open_socket();
  void connect();
  void accept();
  void on_ready(io::Readiness readiness);
  void on_established();
  void pump();
  void wake_when_due();
  void watch();
  void fail(int error, const char* what = nullptr);
  void close();
  json info() const;

  io::EventLoop& loop_;
  Setting setting_;
  Player player_;
  io::FileDescriptor listener_, socket_;
  Time begin_{};
  io::EventLoop::TimerId timer_ = 0;
  io::Interest interest_ = io::Interest::kNone;
  bool is_established_ = false, is_at_end_ = false, is_settled_ = false;
  int error_ = 0;
};

io::FileDescriptor End::open_socket() {
  const int family = setting_.server.address.is_v4() ? AF_INET : AF_INET6;
  io::FileDescriptor fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
                                 setting_.is_linux && setting_.is_mptcp ? kProtocolMptcp : 0));
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  // Of Braid's hosts the daemon has all settings.
  if (setting_.is_linux) {
    const std::string& name = setting_.congestion_control;
    setsockopt(fd.get(), IPPROTO_TCP, TCP_CONGESTION, name.data(), static_cast<socklen_t>(name.size()));
  }
  if (setting_.is_linux && setting_.no_delay) setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  return fd;
}

void End::listen() {
  if (setting_.role != Player::Role::kServer) return;
  listener_ = open_socket();
  sockaddr_storage address;
  // Every address: a join to another than the first would find nobody, on Linux as well.
  const wire::Endpoint any{wire::IpAddress::any(setting_.server.address.family()), setting_.server.port};
  const socklen_t size = to_sockaddr(any, address);
  if (bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener_.get(), 8) != 0)
    return fail(errno, "cannot listen");
  loop_.add(listener_.get(), io::Interest::kRead, [this](io::Readiness) { accept(); });
}

void End::begin(Time begin) {
  begin_ = begin;
  if (setting_.role == Player::Role::kClient)
    loop_.call_at(begin + setting_.spec->start.time_since_epoch(), [this] { connect(); });
}

void End::connect() {
  socket_ = open_socket();
  sockaddr_storage address;
  const socklen_t size = to_sockaddr(setting_.server, address);
  if (::connect(socket_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 && errno != EINPROGRESS)
    return fail(errno);
  interest_ = io::Interest::kReadWrite;
  loop_.add(socket_.get(), interest_, [this](io::Readiness readiness) { on_ready(readiness); });
  player_.start(now());
  wake_when_due();
}

void End::accept() {
  io::FileDescriptor fd(accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (!fd || socket_) return;
  socket_ = std::move(fd);
  is_established_ = true;
  interest_ = io::Interest::kRead;
  loop_.add(socket_.get(), interest_, [this](io::Readiness readiness) { on_ready(readiness); });
}

void End::on_ready(io::Readiness readiness) {
  if (!is_established_ && (readiness.writable || readiness.failed || readiness.hung_up)) {
    int error = 0;
    socklen_t size = sizeof(error);
    getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return fail(error);
    is_established_ = true;
  }
  if (is_established_) pump();
}

size_t End::send(std::span<const std::byte> bytes) {
  const ssize_t size = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (size >= 0) return static_cast<size_t>(size);
  if (errno != EAGAIN && errno != EINTR) error_ = errno;
  return 0;
}

size_t End::receive(std::span<std::byte> out) {
  if (is_at_end_) return 0;
  const ssize_t size = recv(socket_.get(), out.data(), out.size(), 0);
  if (size > 0) return static_cast<size_t>(size);
  if (size == 0) is_at_end_ = true;
  if (size < 0 && errno != EAGAIN && errno != EINTR) error_ = errno;
  return 0;
}

void End::pump() {
  player_.pump(*this, now());
  if (error_ != 0) return fail(error_);
  if (player_.is_over() && !is_settled_) {
    is_settled_ = true;
    say({{"connection", setting_.number}, {"over", true}});
  }
  watch();
  wake_when_due();
}

void End::watch() {
  const bool reads = !is_at_end_, writes = player_.has_unsent();
  const io::Interest wanted = reads && writes ? io::Interest::kReadWrite
                              : reads         ? io::Interest::kRead
                              : writes        ? io::Interest::kWrite
                                              : io::Interest::kNone;
  // A peer that is gone is said again and again.
  if (wanted == io::Interest::kNone) {
    loop_.remove(socket_.get());
  } else if (wanted != interest_) {
    loop_.modify(socket_.get(), wanted);
  }
  interest_ = wanted;
}

void End::wake_when_due() {
  loop_.cancel(timer_);
  timer_ = 0;
  const Time due = player_.next_due();
  if (due == kNever || is_settled_) return;
  timer_ = loop_.call_at(begin_ + due.time_since_epoch(), [this] {
    player_.advance(now());
    if (is_established_) {
      pump();
    } else {
      wake_when_due();
    }
  });
}

void End::fail(int error, const char* what) {
  if (socket_) loop_.remove(socket_.get());
  if (is_settled_) return;
  is_settled_ = true;
  say({{"connection", setting_.number},
       {"failure",
        what == nullptr ? std::strerror(error) : fmt::format("{}: {}", what, std::strerror(error))}});
}

void End::close() {
  if (listener_) loop_.remove(listener_.get());
  if (socket_) loop_.remove(socket_.get());
}

json End::info() const {
  if (!setting_.is_linux || !socket_) return json::object();
  const KernelInfo kernel = kernel_info_of(socket_.get(), setting_.is_mptcp);
  json subflows = json::array();
  for (size_t i = 0; i < kernel.subflows.size(); ++i) {
    const scenario::SubflowResult& s = kernel.subflows[i];
    subflows.push_back({{"local", s.local},
                        {"remote", s.remote},
                        {"data_sent_bytes", s.sent_bytes},
                        {"data_received_bytes", s.received_bytes},
                        {"srtt_us", static_cast<int64_t>(s.srtt_ms * 1e3)},
                        {"retransmissions", s.retransmissions},
                        {"timeouts", s.timeouts},
                        {"cwnd_bytes", kernel.cwnd_bytes[i]}});
  }
  return {{"multipath", kernel.multipath}, {"memory_bytes", kernel.memory_bytes}, {"subflows", subflows}};
}

void End::sample() {
  if (!socket_) return;
  json sample = info();
  sample["at_s"] = std::chrono::duration<double>(now().time_since_epoch()).count();
  sample["received_bytes"] = player_.received_bytes();
  say({{"connection", setting_.number},
       {"is_server", setting_.role == Player::Role::kServer},
       {"sample", std::move(sample)}});
}

void End::report() {
  json result = info();
  result["received_bytes"] = player_.received_bytes();
  result["is_intact"] = player_.is_intact();
  result["is_over"] = player_.is_over();
  result["last_byte_s"] = std::chrono::duration<double>(player_.last_byte().time_since_epoch()).count();
  result["longest_gap_s"] = std::chrono::duration<double>(player_.longest_gap()).count();
  result["delays"] = player_.delays();
  say({{"connection", setting_.number},
       {"is_server", setting_.role == Player::Role::kServer},
       {"result", std::move(result)}});
}

class Agent {
 public:
  Agent(const scenario::Scenario& scenario, const std::string& host);
  int run();

 private:
  void on_input();
  void on_line(const std::string& line);
  void sample();

  const scenario::Scenario& scenario_;
  io::EventLoop loop_;
  std::vector<std::unique_ptr<End>> ends_;
  std::string input_;
  Time sample_at_{};
};

Agent::Agent(const scenario::Scenario& scenario, const std::string& host) : scenario_(scenario) {
  scenario::World world(scenario, scenario.seed, scenario::HostPlace::kOutside);
  const auto spec = std::ranges::find(scenario.hosts, host, &scenario::HostSpec::name);
  const mptcp::ConnectionConfig& config = spec->config.connection;
  size_t number = 0;
  for (const scenario::FlowPlan& plan : scenario::flows_of(scenario)) {
    const size_t own = number++;
    if (plan.spec->from != host && plan.spec->to != host) continue;
    End::Setting setting{
        .number = own,
        .spec = plan.spec,
        .role = plan.spec->from == host ? Player::Role::kClient : Player::Role::kServer,
        .server = {world.address_of(plan.spec->to), plan.port},
        .seed = world.network().seed_for(plan.seed_name),
        .is_linux = spec->is_linux,
        .is_mptcp = config.is_multipath,
        .no_delay = config.no_delay,
        .congestion_control = config.congestion_control,
    };
    ends_.push_back(std::make_unique<End>(loop_, setting));
  }
}

void Agent::on_input() {
  std::array<char, 256> buffer;
  const ssize_t size = read(STDIN_FILENO, buffer.data(), buffer.size());
  if (size <= 0) return loop_.stop();  // the laboratory is gone
  input_.append(buffer.data(), static_cast<size_t>(size));
  for (size_t end; (end = input_.find('\n')) != std::string::npos; input_.erase(0, end + 1))
    on_line(input_.substr(0, end));
}

void Agent::on_line(const std::string& line) {
  if (line == "stop") {
    for (const auto& end : ends_) end->report();
    return loop_.stop();
  }
  const std::string_view begin = "begin ";
  if (!line.starts_with(begin)) return;
  const Time at{Duration(std::stoll(line.substr(begin.size())))};
  for (const auto& end : ends_) end->begin(at);
  sample_at_ = at + scenario_.interval;
  loop_.call_at(sample_at_, [this] { sample(); });
}

void Agent::sample() {
  for (const auto& end : ends_) end->sample();
  sample_at_ += scenario_.interval;
  loop_.call_at(sample_at_, [this] { sample(); });
}

int Agent::run() {
  for (const auto& end : ends_) end->listen();
  loop_.add(STDIN_FILENO, io::Interest::kRead, [this](io::Readiness) { on_input(); });
  say({{"ready", true}});
  loop_.run();
  return 0;
}

}  // namespace

int run_agent(const scenario::Scenario& scenario, const std::string& host) {
  return Agent(scenario, host).run();
}

}  // namespace braid::lab
