#include "service/capture/capture_session.h"

#include <spdlog/spdlog.h>

#include <cerrno>

#include "relay/engine_end.h"
#include "service/capture/capture_device.h"
#include "service/capture/capture_protocol.h"
#include "tcp/subflow.h"
#include "wire/byte_order.h"
#include "wire/checksum.h"

namespace braid::service {

namespace {

constexpr size_t kMostConnections = 16384;
constexpr uint64_t kBufferBytes = 1u << 20;  // there is no delay to bridge
// The namespace is on this machine: a program that has not acknowledged by then has gone.
constexpr Duration kAcknowledgeLimit = 10s, kSweepInterval = 2s;
constexpr size_t kLeastTcpHeader = 20, kTcpFlagsOffset = 13;
constexpr uint8_t kFinFlag = 1, kSynFlag = 2, kRstFlag = 4, kAckFlag = 16;

host::HostConfig inner_config() {
  host::HostConfig config;
  config.connection.is_multipath = false;
  config.connection.autotune = false;
  config.connection.no_delay = true;
  config.connection.send_buffer_bytes = config.connection.initial_send_buffer_bytes = kBufferBytes;
  config.connection.receive_buffer_bytes = config.connection.initial_receive_buffer_bytes = kBufferBytes;
  config.max_connections = 2 * kMostConnections;
  config.syn_cookies = false;  // none is needed: SYNs wait here
  return config;
}

bool is_plain_syn(std::span<const std::byte> tcp) {
  const uint8_t flags = wire::load8(tcp.data() + kTcpFlagsOffset);
  return (flags & (kSynFlag | kAckFlag | kRstFlag | kFinFlag)) == kSynFlag;
}

}  // namespace

CaptureSession::CaptureSession(io::LiveHost& outer, io::Network* network,
                               std::unique_ptr<io::PacketDevice> device, CaptureSetup setup)
    : outer_(outer),
      network_(network),
      setup_(std::move(setup)),
      inner_(outer.loop(), inner_config()),
      datagrams_(outer.loop(), inner_.host().chunks(), [this](wire::OutgoingPacket& p) { device_->send(p); }),
      echoes_(outer.loop(), inner_.host().chunks(), [this](wire::OutgoingPacket& p) { device_->send(p); }),
      relays_(outer.loop()) {
  device_ = &inner_.attach(std::make_unique<CaptureDevice>(
      std::move(device), [this](wire::ReceivedPacket& packet) { return is_for_host(packet); }));
  host::InterfaceConfig interface;
  interface.name = device_->name();
  interface.mtu = kCaptureMtu;
  interface.takes_any_address = true;
  for (const wire::Family family : {wire::Family::kV4, wire::Family::kV6})
    interface.routes.push_back({.network = wire::IpAddress::any(family), .prefix_bits = 0});
  inner_.add_interface(interface, *device_);
  for (const wire::Family family : {wire::Family::kV4, wire::Family::kV6}) {
    const auto listener = inner_.host().listen({wire::IpAddress::any(family), 0},
                                               {.backlog = kMostConnections, .takes_any_port = true});
    if (listener) inner_.watch(*listener, [this](const host::Event& event) { accept_from(event.listener); });
  }
  if (setup_.resolver) {
    const char* gateway = setup_.resolver->address.is_v4() ? kCaptureGatewayV4 : kCaptureGatewayV6;
    dns_ = Redirection{.inner = {*wire::IpAddress::parse(gateway), kDnsPort}, .outer = *setup_.resolver};
    datagrams_.set_redirection(*dns_);
  }
  sweep_timer_ = outer_.loop().call_at(outer_.now() + kSweepInterval, [this] { sweep(); });
}

CaptureSession::~CaptureSession() {
  outer_.loop().cancel(sweep_timer_);
  for (auto& [tuple, attempt] : attempts_) drop(attempt);
}

// ---- what comes from the namespace

bool CaptureSession::is_for_host(wire::ReceivedPacket& packet) {
  const auto view = view_packet(packet.bytes.bytes());
  if (!view) return false;
  switch (view->protocol) {
    case wire::kProtocolTcp:
      return is_let_in(packet, *view);
    case kProtocolUdp:
      datagrams_.forward(*view);
      return false;
    case wire::kProtocolIcmp:
    case wire::kProtocolIcmpV6:
      echoes_.forward(*view);
      return false;
    default:
      return false;
  }
}

bool CaptureSession::is_let_in(wire::ReceivedPacket& packet, const PacketView& view) {
  if (view.payload.size() < kLeastTcpHeader || !is_plain_syn(view.payload)) return true;
  const wire::FourTuple tuple{{view.destination, wire::load16(view.payload.data() + 2)},
                              {view.source, wire::load16(view.payload.data())}};
  if (const auto known = attempts_.find(tuple); known != attempts_.end()) {
    return known->second.answered_at.has_value();  // else the first one waits already
  }
  if (joined_.contains(tuple)) return true;
  if (connection_count() < kMostConnections) begin(tuple, std::move(packet), view);
  return false;
}

void CaptureSession::begin(const wire::FourTuple& tuple, wire::ReceivedPacket syn, const PacketView& view) {
  Attempt& attempt = attempts_[tuple];
  const int error = start_outer(tuple, attempt);
  if (error == 0) {
    attempt.syn = std::move(syn);
    return;
  }
  attempts_.erase(tuple);
  refuse(view, error);
}

// 0, or the errno that connect() would give at once.
int CaptureSession::start_outer(const wire::FourTuple& tuple, Attempt& attempt) {
  const wire::Endpoint& remote = tuple.local;
  if (dns_ && remote == dns_->inner) return start_kernel(tuple, dns_->outer, attempt);
  if (remote.address.to_string() == kCaptureGatewayV4 || remote.address.to_string() == kCaptureGatewayV6) {
    return ECONNREFUSED;
  }
  if (remote.address.is_multicast() || remote.address.is_loopback() || remote.address.is_unspecified() ||
      remote.address.is_link_local()) {
    return ENETUNREACH;
  }
  const CaptureRoute route = setup_.choose_route ? setup_.choose_route(remote) : CaptureRoute{};
  if (route.uses_kernel) return start_kernel(tuple, remote, attempt);
  int error = network_ != nullptr ? network_->check_route(remote.address) : 0;
  if (error == 0) error = start_braid(tuple, attempt, route);
  const bool is_unrouted = error == ENETUNREACH || error == EHOSTUNREACH;
  return is_unrouted && setup_.kernel_fallback ? start_kernel(tuple, remote, attempt) : error;
}

int CaptureSession::start_kernel(const wire::FourTuple& tuple, const wire::Endpoint& remote,
                                 Attempt& attempt) {
  auto fd = relay::start_kernel_connect(remote);
  if (!fd) return fd.error();
  attempt.kernel = std::make_unique<relay::KernelEnd>(outer_.loop(), inner_.host().chunks(), std::move(*fd));
  attempt.kernel->set_change_handler([this, tuple] { on_kernel_change(tuple); });
  return 0;
}

int CaptureSession::start_braid(const wire::FourTuple& tuple, Attempt& attempt, const CaptureRoute& route) {
  const auto connection = outer_.host().connect(tuple.local, {.connection = route.connection}, outer_.now());
  if (!connection) return host::to_errno(connection.error());
  attempt.outer = *connection;
  outer_.watch(*connection, [this, tuple](const host::Event& event) { on_outer_event(tuple, event); });
  return 0;
}

// ---- how connecting went

void CaptureSession::on_outer_event(const wire::FourTuple& tuple, const host::Event& event) {
  const auto found = attempts_.find(tuple);
  if (found == attempts_.end()) return;
  if (event.what == mptcp::ConnectionEvent::kEstablished) return answer(found->second);
  if (event.what != mptcp::ConnectionEvent::kFailed) return;  // whatever it is, the relay will find it
  const mptcp::Connection* connection = outer_.host().find(event.connection);
  const auto reason = connection != nullptr ? connection->error() : mptcp::ConnectionError::kReset;
  give_up(tuple, host::to_errno(host::to_error(reason)));
}

void CaptureSession::on_kernel_change(const wire::FourTuple& tuple) {
  const auto found = attempts_.find(tuple);
  if (found == attempts_.end()) return;
  const relay::KernelEnd& end = *found->second.kernel;
  if (end.has_failed()) return give_up(tuple, end.error());
  if (end.is_connected()) answer(found->second);
}

void CaptureSession::answer(Attempt& attempt) {
  if (attempt.answered_at) return;
  attempt.answered_at = outer_.now();
  inner_.inject(std::exchange(attempt.syn, {}));
}

void CaptureSession::give_up(const wire::FourTuple& tuple, int error) {
  const auto found = attempts_.find(tuple);
  const wire::ReceivedPacket syn = std::move(found->second.syn);
  drop(found->second);
  attempts_.erase(found);
  // Once it is answered, there is nothing to refuse: the program's ACK finds nobody, and is reset.
  if (const auto view = view_packet(syn.bytes.bytes())) refuse(*view, error);
}

void CaptureSession::drop(Attempt& attempt) {
  if (attempt.kernel != nullptr) {
    attempt.kernel->reset();
    dropped_.push_back(std::move(attempt.kernel));
  }
  if (attempt.outer == host::ConnectionId::kNone) return;
  outer_.unwatch(attempt.outer);
  outer_.host().abort(attempt.outer, outer_.now());
}

void CaptureSession::abandon_attempts() {
  for (auto entry = attempts_.begin(); entry != attempts_.end();) {
    const auto next = std::next(entry);
    if (!entry->second.answered_at) {
      drop(entry->second);
      attempts_.erase(entry);
    }
    entry = next;
  }
}

// As the network would: a reset for a refusal, an ICMP error for no way there. To a timeout nothing is said:
// the program's kernel comes to the same end by itself.
void CaptureSession::refuse(const PacketView& syn, int error) {
  if (error == ETIMEDOUT) return;
  ChunkPool& pool = inner_.host().chunks();
  const auto why = unreachable_for(error);
  if (why && *why != Unreachable::kPort && *why != Unreachable::kTooBig) {
    wire::OutgoingPacket packet = make_unreachable(syn, *why, 0, pool);
    device_->send(packet);
    return;
  }
  const wire::ReceivedPacket received{.bytes = copy_to_slice(pool, syn.packet),
                                      .checksum = wire::ChecksumState::kValid};
  const wire::ParsedPacket parsed = wire::parse_packet(received);
  const auto* segment = std::get_if<wire::TcpSegment>(&parsed);
  if (segment == nullptr) return;
  if (const auto reset = tcp::reset_for(*segment)) {
    wire::OutgoingPacket packet;
    wire::build_packet(*reset, device_->offload(), 0, packet);
    device_->send(packet);
  }
}

// ---- connections that are up on both sides

void CaptureSession::accept_from(host::ListenerId listener) {
  for (;;) {
    const host::ConnectionId inner = inner_.host().accept(listener);
    if (inner == host::ConnectionId::kNone) return;
    const mptcp::Connection* connection = inner_.host().find(inner);
    const wire::FourTuple tuple{connection->local(), connection->remote()};
    const auto found = attempts_.find(tuple);
    if (found == attempts_.end()) {
      inner_.host().abort(inner, inner_.now());
      continue;
    }
    join(inner, found->second, tuple);
    attempts_.erase(tuple);
  }
}

void CaptureSession::join(host::ConnectionId inner, Attempt& attempt, const wire::FourTuple& tuple) {
  std::unique_ptr<relay::StreamEnd> outer;
  if (attempt.kernel != nullptr) {
    outer = std::move(attempt.kernel);
  } else {
    // The program's kernel has decided what goes at once (Nagle's algorithm, TCP_CORK).
    if (mptcp::Connection* connection = outer_.host().find(attempt.outer))
      connection->set_no_delay(true, outer_.now());
    outer = std::make_unique<relay::EngineEnd>(outer_, attempt.outer);
  }
  joined_.insert(tuple);
  relays_.add(std::make_unique<relay::EngineEnd>(inner_, inner), std::move(outer),
              [this, tuple](relay::Relay::End) { joined_.erase(tuple); });
}

void CaptureSession::sweep() {
  dropped_.clear();
  for (auto entry = attempts_.begin(); entry != attempts_.end();) {
    const auto next = std::next(entry);
    const auto& answered_at = entry->second.answered_at;
    if (answered_at && outer_.now() - *answered_at > kAcknowledgeLimit) give_up(entry->first, ETIMEDOUT);
    entry = next;
  }
  sweep_timer_ = outer_.loop().call_at(outer_.now() + kSweepInterval, [this] { sweep(); });
}

}  // namespace braid::service
