#include "sim/middlebox/http_proxy.h"

namespace braid::sim {

namespace {
constexpr size_t kStages = 3;
}

/// Where one stage puts its packets: the next in their direction, or out of the box.
class HttpProxy::Stage final : public MiddleboxOutput {
 public:
  Stage(HttpProxy& proxy, size_t index, MiddleboxOutput& output, Time now)
      : proxy_(proxy), index_(index), output_(output), now_(now) {}
  void emit(Direction towards, Packet packet) override {
    proxy_.pass(towards == Direction::kForward ? index_ + 1 : index_ - 1, towards, std::move(packet), output_,
                now_);
  }
  ChunkPool& pool() override { return output_.pool(); }

 private:
  HttpProxy& proxy_;
  size_t index_;
  MiddleboxOutput& output_;
  Time now_;
};

// The retransmissions of a proxy come from bytes that it holds, and it does without SACK and timestamps.
HttpProxy::HttpProxy(uint16_t port, uint64_t seed)
    : port_(port),
      remover_({.options = {"mptcp", "sack_permitted", "timestamps", "unknown"}, .segments = {}}),
      acker_({}),
      rewriter_(seed) {}

Middlebox& HttpProxy::stage(size_t index) {
  if (index == 0) return remover_;
  if (index == 1) return acker_;
  return rewriter_;
}

void HttpProxy::pass(size_t index, Direction direction, Packet packet, MiddleboxOutput& output, Time now) {
  if (index >= kStages) return output.emit(direction, std::move(packet));
  Stage next(*this, index, output, now);
  stage(index).on_packet(direction, std::move(packet), next, now);
}

void HttpProxy::on_packet(Direction direction, Packet packet, MiddleboxOutput& output, Time now) {
  std::optional<TcpPacket> tcp = TcpPacket::open(packet, output.pool());
  if (!tcp) return output.emit(direction, std::move(packet));
  const uint16_t port = flow_of(*tcp, direction).remote.port;
  packet = std::move(*tcp).close();
  if (port != port_) {
    ++totals_.passed;
    return output.emit(direction, std::move(packet));
  }
  ++totals_.changed;
  pass(direction == Direction::kForward ? 0 : kStages - 1, direction, std::move(packet), output, now);
}

void HttpProxy::on_timer(MiddleboxOutput& output, Time now) {
  Stage here(*this, 1, output, now);
  acker_.on_timer(here, now);
}

}  // namespace braid::sim
