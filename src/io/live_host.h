// A Host in real time: event loop, packet devices, the system's random bits. This is what the daemon runs
// on, and what a program embeds that wants Multipath TCP without sockets.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "host/host.h"
#include "io/event_loop.h"
#include "io/packet_capture.h"
#include "io/packet_device.h"
#include "io/setup_error.h"
#include "io/system_random.h"

namespace braid::io {

/// Drives the host in the order that it asks for: in each round of the loop receive, advance, then transmit
/// and events until neither has more. Commands may be given anywhere in the loop's thread (descriptor
/// callbacks, timers, the event handler): what they bring about goes out at the end of the round.
class LiveHost {
 public:
  using EventHandler = std::function<void(const host::Event&)>;

  /// `loop` outlives the LiveHost; several may share one.
  LiveHost(EventLoop& loop, const host::HostConfig& config);
  ~LiveHost();
  LiveHost(const LiveHost&) = delete;
  LiveHost& operator=(const LiveHost&) = delete;

  EventLoop& loop() { return loop_; }
  host::Host& host() { return *host_; }
  const host::Host& host() const { return *host_; }
  Time now() const { return loop_.now(); }

  /// The device's packets go to the host from now on, which may have several interfaces on it.
  PacketDevice& attach(std::unique_ptr<PacketDevice> device);
  /// `config.offload` is set from the device.
  host::InterfaceId add_interface(host::InterfaceConfig config, PacketDevice& device);
  const std::vector<std::unique_ptr<PacketDevice>>& devices() const { return devices_; }

  void set_event_handler(EventHandler handler) { event_handler_ = std::move(handler); }
  /// Events of that connection, or of that listener, go to this handler instead, until unwatch(); which it
  /// may call itself.
  void watch(host::ConnectionId connection, EventHandler handler);
  void watch(host::ListenerId listener, EventHandler handler);
  void unwatch(host::ConnectionId connection);
  void unwatch(host::ListenerId listener);
  /// Called at the end of each round, when transmit and events are through: for output gathered by the event
  /// handler. Commands given in it are honoured in the same round.
  void set_round_hook(std::function<void()> hook) { round_hook_ = std::move(hook); }

  /// Hands the host a packet that came some other way (ICMP errors from a raw socket).
  void inject(const wire::ReceivedPacket& packet);

  /// Writes every packet, both ways, to a pcap file from now on.
  Setup<void> start_capture(const std::string& path);

 private:
  class Sink;
  struct Attachment {
    PacketDevice* device = nullptr;
    host::InterfaceId first_interface = 0;
    bool has_interface = false;
  };
  void on_readable(size_t attachment);
  void finish_round(Time now);
  void fire_timers(Time now);
  bool is_input_waiting() const;
  void deliver(const host::Event& event);
  Time next_deadline() const;

  EventLoop& loop_;
  SystemRandom random_;
  std::vector<std::unique_ptr<PacketDevice>> devices_;
  std::vector<Attachment> attachments_;
  std::vector<PacketDevice*> device_of_;  // by InterfaceId
  std::unique_ptr<PacketCapture> capture_;
  std::unique_ptr<host::Host> host_;
  std::unique_ptr<Sink> sink_;
  EventHandler event_handler_;
  std::unordered_map<uint64_t, EventHandler> watched_connections_, watched_listeners_;
  EventLoop::TenantId tenant_ = 0;
  std::function<void()> round_hook_;
  std::vector<wire::ReceivedPacket> batch_;
  bool has_more_events_ = false;
  Time input_waits_since_ = kNever;
};

}  // namespace braid::io
