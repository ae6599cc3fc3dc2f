#include "sim/host_node.h"

#include <utility>

#include "base/check.h"

namespace braid::sim {

class HostNode::Interface final : public Port {
 public:
  Interface(HostNode& node, host::InterfaceId id, Link& link, Direction direction)
      : node_(node), id_(id), link_(link), direction_(direction) {}
  void receive(Packet packet, Time now) override {
    node_.host_->receive(id_, packet, now);
    packet = {};  // its chunk may be of use for the answer
    node_.settle(now);
  }
  void on_carrier(bool is_up, Time now) override {
    node_.host_->set_interface_up(id_, is_up, now);
    node_.settle(now);
  }
  void send(Packet packet, Time now) { link_.send(direction_, std::move(packet), now); }

 private:
  HostNode& node_;
  host::InterfaceId id_;
  Link& link_;
  Direction direction_;
};

/// Makes whole packets of what the host sends: the only copy of the payload on its way to the other host.
class HostNode::Sink final : public host::HostSink {
 public:
  Sink(HostNode& node, Time now) : node_(node), now_(now) {}
  void send(host::InterfaceId interface, wire::OutgoingPacket& packet) override {
    Packet flat = wire::flatten(packet, node_.pool_);
    flat.checksum = wire::ChecksumState::kValid;  // just made; what damages it says so
    node_.interfaces_[interface]->send(std::move(flat), now_);
  }

 private:
  HostNode& node_;
  Time now_;
};

HostNode::HostNode(std::string name, const host::HostConfig& config, EventQueue& events, ChunkPool& pool,
                   uint64_t seed)
    : name_(std::move(name)),
      events_(events),
      pool_(pool),
      random_(seed),
      config_(config),
      host_(std::make_unique<host::Host>(config, random_, Time{})) {}

HostNode::~HostNode() = default;

host::InterfaceId HostNode::add_interface(host::InterfaceConfig config, Link& link, Direction direction) {
  // The sum over the payload is made with the copy, so it costs next to nothing.
  config.offload = wire::OffloadSupport::kChecksum;
  config.mtu = link.channel(direction).config().mtu;
  const host::InterfaceId id = host_->add_interface(config);
  BRAID_CHECK(id == interfaces_.size());
  configs_.push_back(std::move(config));
  interfaces_.push_back(std::make_unique<Interface>(*this, id, link, direction));
  return id;
}

Port& HostNode::port(host::InterfaceId interface) { return *interfaces_.at(interface); }

void HostNode::set_decision_log(mptcp::DecisionLog* log) {
  decision_log_ = log;
  host_->set_decision_log(log);
}

void HostNode::restart(Time now) {
  host_ = std::make_unique<host::Host>(config_, random_, now);
  host_->set_decision_log(decision_log_);
  for (const host::InterfaceConfig& config : configs_) host_->add_interface(config);
  const auto connections = std::exchange(by_connection_, {});
  const auto listeners = std::exchange(by_listener_, {});
  for (const auto& [id, application] : connections) application->on_restart(now);
  for (const auto& [id, application] : listeners) application->on_restart(now);
  settle(now);
}

void HostNode::settle(Time now) {
  if (is_settling_) return;  // an application's command, from within its own event
  is_settling_ = true;
  constexpr int kLivelock = 100'000;
  for (int round = 0;; ++round) {
    BRAID_CHECK(round < kLivelock);
    Sink sink(*this, now);
    host_->transmit(sink, now);
    dispatch_events(now);
    if (host_->next_deadline() > now) break;
    host_->advance(now);
  }
  is_settling_ = false;
  reschedule();
}

void HostNode::dispatch_events(Time now) {
  while (const std::optional<host::Event> event = host_->poll_event()) {
    Application* application = nullptr;
    if (event->kind == host::Event::Kind::kAcceptable) {
      const auto found = by_listener_.find(event->listener);
      if (found != by_listener_.end()) application = found->second;
    } else {
      const auto found = by_connection_.find(event->connection);
      if (found != by_connection_.end()) application = found->second;
    }
    if (application != nullptr) application->on_event(*event, now);
  }
}

void HostNode::on_due(Time now) {
  host_->advance(now);
  settle(now);
}

void HostNode::reschedule() { events_.schedule(*this, host_->next_deadline()); }

}  // namespace braid::sim
