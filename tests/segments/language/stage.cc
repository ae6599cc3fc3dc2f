#include "segments/language/stage.h"

#include <algorithm>

#include "segments/language/script_error.h"

namespace braid::segments {

namespace {
/// More rounds than that at one instant: it would never end.
constexpr int kLivelock = 10'000;
}  // namespace

struct Stage::Sink final : host::HostSink {
  Stage& stage;
  explicit Sink(Stage& owner) : stage(owner) {}
  void send(host::InterfaceId, wire::OutgoingPacket& packet) override {
    Octets bytes;
    const auto add = [&](std::span<const std::byte> part) {
      for (const std::byte b : part) bytes.push_back(static_cast<uint8_t>(b));
    };
    add(packet.header_bytes());
    for (const Slice& slice : packet.payload) add(slice.bytes());
    stage.sent_.push_back({stage.now_, stage.peer_.read(bytes)});
  }
};

Stage::Stage(const Settings& settings) : peer_(settings.peer), random_(settings.local_key) {
  host_ = std::make_unique<host::Host>(settings.host, random_, now_);
  const bool is_v4 = settings.peer.family == wire::Family::kV4;
  for (int number = 1; number <= settings.paths; ++number) {
    host_->add_interface(
        {.name = "path" + std::to_string(number),
         .mtu = settings.mtu,
         .offload = wire::OffloadSupport::kNone,
         .addresses = {{peer_.our_address(number), is_v4 ? 32 : 128}},
         .routes = {{wire::IpAddress::any(settings.peer.family), 0, static_cast<uint32_t>(number)}}});
  }
}

void Stage::deliver(int interface, const Octets& packet) {
  wire::ReceivedPacket received;
  received.bytes = copy_to_slice(pool_, std::as_bytes(std::span(packet)));
  host_->receive(static_cast<host::InterfaceId>(interface), received, now_);
  settle();
}

void Stage::settle() {
  for (int round = 0;; ++round) {
    if (round == kLivelock) throw ScriptError("the engine never comes to rest");
    Sink sink(*this);
    host_->transmit(sink, now_);
    random_.release();
    while (const auto event = host_->poll_event()) events_.push_back(*event);
    if (host_->next_deadline() > now_) return;
    host_->advance(now_);
  }
}

void Stage::run_to(Time time) {
  settle();
  while (host_->next_deadline() <= time) {
    now_ = std::max(now_, host_->next_deadline());
    host_->advance(now_);
    settle();
  }
  now_ = std::max(now_, time);
}

bool Stage::run_until_sent(Time limit) {
  settle();
  while (sent_.empty() && host_->next_deadline() <= limit) run_to(host_->next_deadline());
  return !sent_.empty();
}

}  // namespace braid::segments
