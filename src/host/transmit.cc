// What goes out, and the timers.
#include "host/host_impl.h"

namespace braid::host {

using mptcp::Counter;

void Host::Impl::advance(Time now) {
  now_ = now;
  timers.advance(now, [&](Timer& timer) {
    auto& connection = *static_cast<mptcp::Connection*>(timer.owner());
    connection.advance(now);
    mark_dirty(connection);
  });
  time_wait.expire(now);
}

void Host::Impl::transmit(HostSink& sink, Time now) {
  now_ = now;
  while (!replies.empty()) send(replies.pop().to_segment(), sink);
  // A connection may wake itself or others while it is polled. Two rounds settle that; should one never stop,
  // next_deadline() says that there is more to do.
  for (size_t left = 2 * dirty.size(); left > 0 && !dirty.empty(); --left) {
    mptcp::Connection& connection = *dirty.pop_front();
    connection.is_dirty = false;
    poll(connection, sink);
  }
  tokens.refill();
}

void Host::Impl::poll(mptcp::Connection& connection, HostSink& sink) {
  struct Adapter final : tcp::SegmentSink {
    Impl& host;
    HostSink& out;
    Adapter(Impl& h, HostSink& o) : host(h), out(o) {}
    void send(wire::OutgoingSegment& segment) override { host.send(segment, out); }
  } adapter{*this, sink};
  connection.poll_transmit(adapter, now_);
  ConnectionRecord& record = record_of(connection);
  if (!connection.is_dirty && record.is_disposable() && connection.is_finished()) {
    destroy(record);
    return;
  }
  timers.set(connection.timer, connection.next_deadline());
}

void Host::Impl::send(const wire::OutgoingSegment& segment, HostSink& sink) {
  const size_t payload = segment.payload_size();
  const size_t pieces = segment.mss == 0 || payload <= segment.mss ? 1 : (payload - 1) / segment.mss + 1;
  const Network::Interface* interface = network.interface_of(segment.tuple.local.address);
  if (interface == nullptr || !interface->is_up) return;
  base_counters.add(Counter::kTcpOutSegs, pieces);
  if (segment.flags.rst) base_counters.add(Counter::kTcpOutRsts);
  const wire::OffloadSupport offload = interface->config.offload;
  const auto emit = [&](const wire::OutgoingSegment& piece) {
    wire::build_packet(piece, offload, 0, packet_);
    sink.send(interface->id, packet_);
  };
  if (offload == wire::OffloadSupport::kFull || pieces == 1) {
    emit(segment);
  } else {
    wire::cut_super_segment(segment, emit);
  }
}

Time Host::Impl::next_deadline() const {
  if (!dirty.empty() || !replies.empty()) return now_;
  return timers.next_deadline();
}

}  // namespace braid::host
