#include "support/virtual_network.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "wire/segmentation.h"

namespace braid::test {

namespace {

wire::IpAddress destination_of(std::span<const std::byte> packet) {
  if (packet.size() >= 40 && (static_cast<uint8_t>(packet[0]) >> 4) == 6) {
    std::array<uint8_t, 16> bytes;
    std::memcpy(bytes.data(), packet.data() + 24, bytes.size());
    return wire::IpAddress::v6(bytes);
  }
  uint32_t address = 0;
  if (packet.size() >= 20) {
    for (int i = 16; i < 20; ++i) address = address << 8 | static_cast<uint8_t>(packet[i]);
  }
  return wire::IpAddress::v4(address);
}

void mix(uint64_t& digest, std::span<const std::byte> bytes) {
  for (const std::byte b : bytes) digest = (digest ^ static_cast<uint64_t>(b)) * 0x100000001b3;
}
void mix(uint64_t& digest, uint64_t value) {
  digest = (digest ^ value) * 0x9e3779b97f4a7c15 + (digest >> 29);
}

}  // namespace

Node::Node(VirtualNetwork& network, std::string name, const host::HostConfig& config, uint64_t seed, Time now)
    : network_(network), name_(std::move(name)), random_(seed), host_(config, random_, now) {}

host::InterfaceId Node::add_interface(const host::InterfaceConfig& config, const LinkConfig& up,
                                      const LinkConfig& down) {
  const host::InterfaceId id = host_.add_interface(config);
  BRAID_CHECK(id == links_.size());
  AccessLink& access = links_.emplace_back();
  access.up = std::make_unique<Link>(random_.next64());
  access.down = std::make_unique<Link>(random_.next64());
  access.up->set(up);
  access.down->set(down);
  access.mtu = config.mtu;
  for (const host::AddressConfig& a : config.addresses) network_.addresses_[a.address] = {this, id};
  return id;
}

VirtualNetwork::VirtualNetwork(uint64_t seed) : seed_(seed) {}

VirtualNetwork::~VirtualNetwork() {
  if (capture_ != nullptr) std::fclose(capture_);
}

Node& VirtualNetwork::add_node(std::string name, const host::HostConfig& config) {
  seed_ = seed_ * 6364136223846793005 + 1442695040888963407;
  nodes_.push_back(std::make_unique<Node>(*this, std::move(name), config, seed_, now_));
  return *nodes_.back();
}

// ---- packets

struct VirtualNetwork::Sink final : host::HostSink {
  VirtualNetwork& network;
  Node& node;
  bool has_sent = false;
  Sink(VirtualNetwork& owner, Node& from) : network(owner), node(from) {}
  void send(host::InterfaceId interface, wire::OutgoingPacket& packet) override {
    has_sent = true;
    network.on_sent(node, interface, packet);
  }
};

void VirtualNetwork::on_sent(Node& from, host::InterfaceId interface, const wire::OutgoingPacket& packet) {
  wire::ReceivedPacket flat = wire::flatten(packet, pool_);
  ++packets_;
  mix(digest_, static_cast<uint64_t>(now_.time_since_epoch().count()));
  mix(digest_, interface);
  mix(digest_, flat.bytes.bytes());
  if (capture_ != nullptr) {
    const auto ns = static_cast<uint64_t>(now_.time_since_epoch().count());
    const auto size = static_cast<uint32_t>(flat.bytes.size());
    const uint32_t header[] = {static_cast<uint32_t>(ns / 1'000'000'000),
                               static_cast<uint32_t>(ns % 1'000'000'000), size, size};
    std::fwrite(header, sizeof(header), 1, capture_);
    std::fwrite(flat.bytes.data(), size, 1, capture_);
  }
  if (tap_ && !tap_(from, interface, flat)) return;
  const Node::AccessLink& access = from.links_.at(interface);
  put_on_link(*access.up, std::move(flat), access.mtu, {});
}

void VirtualNetwork::put_on_link(Link& link, wire::ReceivedPacket packet, uint32_t mtu, Destination to) {
  const auto send = [&](wire::ReceivedPacket piece) {
    link.send(std::move(piece), now_, pool_, [&](wire::ReceivedPacket out, Time at) {
      take_off({.at = at, .order = 0, .to = to, .link = &link, .packet = std::move(out)}, at);
    });
  };
  // A link with a rate or faults is a wire: it carries what fits its MTU. A perfect one passes
  // super-segments.
  if (link.config().is_perfect() || packet.bytes.size() <= mtu) {
    send(std::move(packet));
  } else {
    wire::cut_packet(packet, pool_, send);
  }
}

void VirtualNetwork::take_off(Flight flight, Time at) {
  if (at <= now_) {
    flight.at = now_;
  }
  flight.order = next_order_++;
  flights_.push_back(std::move(flight));
  std::push_heap(flights_.begin(), flights_.end());
}

void VirtualNetwork::land(Flight flight) {
  if (flight.link != nullptr && flight.link->is_cut()) return;
  if (flight.to.node == nullptr) {
    route(std::move(flight.packet));
  } else {
    flight.to.node->host().receive(flight.to.interface, flight.packet, now_);
  }
}

void VirtualNetwork::route(wire::ReceivedPacket packet) {
  const auto found = addresses_.find(destination_of(packet.bytes.bytes()));
  if (found == addresses_.end()) return;
  const Node::AccessLink& access = found->second.node->links_.at(found->second.interface);
  put_on_link(*access.down, std::move(packet), access.mtu, found->second);
}

void VirtualNetwork::inject(std::span<const std::byte> packet) {
  route({copy_to_slice(pool_, packet), 0, wire::ChecksumState::kUnverified});
}

void VirtualNetwork::capture(const std::string& path) {
  capture_ = std::fopen(path.c_str(), "wb");
  BRAID_CHECK(capture_ != nullptr);
  const uint32_t header[] = {0xa1b23c4d, 0x00040002, 0, 0, 262144, 101};  // nanoseconds, LINKTYPE_RAW
  std::fwrite(header, sizeof(header), 1, capture_);
}

// ---- time

void VirtualNetwork::dispatch_events(Node& node) {
  while (const std::optional<host::Event> event = node.host().poll_event()) {
    Application* application = nullptr;
    if (event->kind == host::Event::Kind::kAcceptable) {
      const auto found = node.by_listener_.find(event->listener);
      if (found != node.by_listener_.end()) application = found->second;
    } else {
      const auto found = node.by_connection_.find(event->connection);
      if (found != node.by_connection_.end()) application = found->second;
    }
    if (application != nullptr) {
      application->on_event(*event, now_);
    } else {
      node.unclaimed.push_back(*event);
    }
  }
}

void VirtualNetwork::settle_node(Node& node) {
  constexpr int kLivelock = 100'000;
  for (int round = 0;; ++round) {
    BRAID_CHECK(round < kLivelock);
    Sink sink(*this, node);
    node.host().transmit(sink, now_);
    dispatch_events(node);
    if (node.host().next_deadline() > now_) return;
    node.host().advance(now_);
  }
}

void VirtualNetwork::settle() {
  for (const auto& node : nodes_) settle_node(*node);
}

Time VirtualNetwork::next_time() const {
  Time next = flights_.empty() ? kNever : flights_.front().at;
  for (const auto& node : nodes_) {
    next = earlier(next, node->host().next_deadline());
    for (const auto& [id, application] : node->by_connection_) next = earlier(next, application->next_wake());
  }
  return next;
}

void VirtualNetwork::move_to(Time time) {
  now_ = std::max(now_, time);
  ++steps_;
  while (!flights_.empty() && flights_.front().at <= now_) {
    std::pop_heap(flights_.begin(), flights_.end());
    Flight flight = std::move(flights_.back());
    flights_.pop_back();
    land(std::move(flight));
  }
  for (const auto& node : nodes_) {
    if (node->host().next_deadline() <= now_) node->host().advance(now_);
    std::vector<Application*> due;  // apart, since an application may attach others while it wakes
    for (const auto& [id, application] : node->by_connection_) {
      if (application->next_wake() <= now_) due.push_back(application);
    }
    for (Application* application : due) application->on_wake(now_);
  }
  settle();
}

bool VirtualNetwork::step() {
  settle();
  const Time next = next_time();
  if (next == kNever) return false;
  move_to(next);
  return true;
}

bool VirtualNetwork::drive(Duration limit) {
  const Time end = now_ + limit;
  settle();
  while (next_time() <= end) {
    if (!step()) return true;
  }
  return next_time() == kNever;
}

bool VirtualNetwork::drive_until(const std::function<bool()>& done, Duration limit) {
  const Time end = now_ + limit;
  settle();
  while (!done()) {
    if (next_time() > end || !step()) return done();
  }
  return true;
}

void VirtualNetwork::run_for(Duration duration) {
  const Time end = now_ + duration;
  settle();
  while (next_time() <= end) {
    if (!step()) break;
  }
  move_to(end);
}

}  // namespace braid::test
