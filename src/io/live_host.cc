#include "io/live_host.h"

#include <poll.h>

#include <algorithm>

#include "base/check.h"

namespace braid::io {

namespace {
// Packets in hand at once.
constexpr size_t kBatchPackets = 32;
// And in one round, at most. Each path of each connection acknowledges once a round what came in it: of a
// queue that has grown, as much as possible, since an ACK costs more than the packets it is for. And little
// enough that ACKs and timers keep their pace.
constexpr size_t kRoundPackets = 256;
// So much later than due, at most, while there is more input than a round takes.
constexpr Duration kLatestTimers = 100ms;
// Transmit and events in one round: an event handler that always causes another event must not starve input.
constexpr int kEventPasses = 8;
}  // namespace

/// Hands each packet to the device of its interface, by way of the capture.
class LiveHost::Sink final : public host::HostSink {
 public:
  explicit Sink(LiveHost& live) : live_(live) {}
  void send(host::InterfaceId interface, wire::OutgoingPacket& packet) override {
    if (interface >= live_.device_of_.size() || live_.device_of_[interface] == nullptr) return;
    if (live_.capture_ != nullptr) live_.capture_->sent(packet, live_.now());
    live_.device_of_[interface]->send(packet);
  }

 private:
  LiveHost& live_;
};

LiveHost::LiveHost(EventLoop& loop, const host::HostConfig& config)
    : loop_(loop),
      host_(std::make_unique<host::Host>(config, random_, loop.now())),
      sink_(std::make_unique<Sink>(*this)),
      batch_(kBatchPackets) {
  tenant_ = loop_.add_tenant(
      {.deadline = [this] { return next_deadline(); }, .round_end = [this](Time now) { finish_round(now); }});
}

LiveHost::~LiveHost() {
  loop_.remove_tenant(tenant_);
  for (const auto& device : devices_) loop_.remove(device->descriptor());
  // Devices and packets in hand hold chunks of the host's pool.
  batch_.clear();
  devices_.clear();
}

PacketDevice& LiveHost::attach(std::unique_ptr<PacketDevice> device) {
  PacketDevice& attached = *device;
  const size_t index = attachments_.size();
  devices_.push_back(std::move(device));
  attachments_.push_back({.device = &attached});
  const bool is_added =
      loop_.add(attached.descriptor(), Interest::kRead, [this, index](Readiness) { on_readable(index); });
  BRAID_CHECK(is_added);
  return attached;
}

host::InterfaceId LiveHost::add_interface(host::InterfaceConfig config, PacketDevice& device) {
  config.offload = device.offload();
  const host::InterfaceId id = host_->add_interface(config);
  if (device_of_.size() <= id) device_of_.resize(id + 1, nullptr);
  device_of_[id] = &device;
  for (Attachment& attachment : attachments_) {
    if (attachment.device != &device || attachment.has_interface) continue;
    attachment.first_interface = id;
    attachment.has_interface = true;
  }
  return id;
}

void LiveHost::inject(const wire::ReceivedPacket& packet) {
  if (capture_ != nullptr) capture_->received(packet, now());
  host_->receive(0, packet, now());
}

Setup<void> LiveHost::start_capture(const std::string& path) {
  auto capture = PacketCapture::open(path);
  if (!capture) return tl::unexpected(capture.error());
  capture_ = std::move(*capture);
  return {};
}

void LiveHost::on_readable(size_t index) {
  Attachment& attachment = attachments_[index];
  for (size_t taken = 0; taken < kRoundPackets;) {
    const size_t count = attachment.device->receive(host_->chunks(), batch_);
    for (size_t i = 0; i < count; ++i) {
      const wire::ReceivedPacket packet = std::exchange(batch_[i], {});
      if (!attachment.has_interface) continue;
      if (capture_ != nullptr) capture_->received(packet, now());
      host_->receive(attachment.first_interface, packet, now());
    }
    taken += count;
    if (count < batch_.size()) break;
  }
}

/// Not before what has come already: it may be the answer that a timer waits for. A daemon that was late with
/// thousands of connections took their ACKs for lost, and was later still for all that it sent again.
void LiveHost::fire_timers(Time now) {
  if (!is_input_waiting()) {
    input_waits_since_ = kNever;
  } else {
    input_waits_since_ = earlier(input_waits_since_, now);
    if (now - input_waits_since_ < kLatestTimers) return;
    input_waits_since_ = kNever;
  }
  host_->advance(now);
}

bool LiveHost::is_input_waiting() const {
  return std::ranges::any_of(devices_, [](const auto& device) {
    pollfd state{device->descriptor(), POLLIN, 0};
    return poll(&state, 1, 0) == 1;
  });
}

void LiveHost::finish_round(Time now) {
  fire_timers(now);
  for (int pass = 0; pass < kEventPasses; ++pass) {
    // First what programs take and give: the ACKs then tell of the room that is there again, and go with
    // data, rather than be followed by others.
    has_more_events_ = false;
    while (const auto event = host_->poll_event()) {
      has_more_events_ = true;
      deliver(*event);
    }
    if (pass > 0 && !has_more_events_) break;
    host_->transmit(*sink_, now);
  }
  if (round_hook_) {
    round_hook_();
    host_->transmit(*sink_, now);
  }
  if (capture_ != nullptr && capture_->flush_deadline() <= now) capture_->flush();
}

void LiveHost::deliver(const host::Event& event) {
  const auto& watches =
      event.kind == host::Event::Kind::kConnection ? watched_connections_ : watched_listeners_;
  const auto key = event.kind == host::Event::Kind::kConnection ? static_cast<uint64_t>(event.connection)
                                                                : static_cast<uint64_t>(event.listener);
  const auto watch = watches.find(key);
  if (watch == watches.end()) {
    if (event_handler_) event_handler_(event);
    return;
  }
  const EventHandler handler = watch->second;  // it may unwatch
  handler(event);
}

void LiveHost::watch(host::ConnectionId connection, EventHandler handler) {
  watched_connections_[static_cast<uint64_t>(connection)] = std::move(handler);
}

void LiveHost::watch(host::ListenerId listener, EventHandler handler) {
  watched_listeners_[static_cast<uint64_t>(listener)] = std::move(handler);
}

void LiveHost::unwatch(host::ConnectionId connection) {
  watched_connections_.erase(static_cast<uint64_t>(connection));
}

void LiveHost::unwatch(host::ListenerId listener) {
  watched_listeners_.erase(static_cast<uint64_t>(listener));
}

Time LiveHost::next_deadline() const {
  if (has_more_events_) return loop_.now();
  const Time deadline = host_->next_deadline();
  return capture_ == nullptr ? deadline : earlier(deadline, capture_->flush_deadline());
}

}  // namespace braid::io
