// One direction of a link: a queue, a transmitter, and the wire behind it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "base/random.h"
#include "base/ring.h"
#include "sim/event_queue.h"
#include "sim/link_config.h"
#include "sim/packet.h"

namespace braid::sim {

struct ChannelTotals {
  uint64_t sent_packets = 0, sent_bytes = 0;            // taken off the queue and put on the wire
  uint64_t delivered_packets = 0, delivered_bytes = 0;  // at the far end, duplicates included
  uint64_t dropped_queue = 0, marked = 0, dropped_loss = 0, dropped_down = 0, dropped_mtu = 0;
  uint64_t duplicated = 0, reordered = 0, corrupted = 0;
  uint64_t queue_max_bytes = 0;
  double queue_byte_seconds = 0;  // over the time, for its mean
  Duration busy{0};               // time spent sending

  uint64_t dropped() const { return dropped_queue + dropped_loss + dropped_down + dropped_mtu; }
};

class Channel final : public Actor {
 public:
  /// `events` and `pool` outlive it; `to` is set before the first packet.
  Channel(EventQueue& events, ChunkPool& pool, uint64_t seed);

  // ---- commands
  void set_destination(Port& to) { to_ = &to; }
  /// What waits keeps its place as far as the new queue has room.
  void configure(const LinkConfig& config, Time now);
  /// Down: everything is dropped, what waits and what is under way too.
  void set_up(bool is_up, Time now);

  // ---- handle_*
  void send(Packet packet, Time now);
  void on_due(Time now) override;

  // ---- getters
  const LinkConfig& config() const { return config_; }
  bool is_up() const { return is_up_; }
  uint64_t queue_bytes() const { return queue_->bytes(); }
  uint32_t queue_packets() const { return queue_->packets(); }
  /// With what the queue itself counts, up to `now`.
  ChannelTotals totals(Time now) const;
  /// Sees each packet as it comes to this end, and as it leaves at the far one.
  using Tap = std::function<void(const Packet& packet, Time now)>;
  Tap tap_in, tap_out;

 private:
  struct Flight {
    Packet packet;
    Time at;
  };
  void start_next(Time now);
  void finish_sending(Time now);
  Time end_of_sending(size_t bytes, Time now);
  void put_on_wire(Packet packet, Time now);
  void corrupt(Packet& packet);
  void deliver_due(Time now);
  void deliver(Packet packet, Time now);
  bool is_lost();
  bool happens(double probability) { return probability > 0 && random_.unit() < probability; }
  Duration jitter();
  void note_queue(Time now);
  void reschedule();
  void insert_late(Flight flight);

  EventQueue& events_;
  ChunkPool& pool_;
  SeededRandom random_;
  Port* to_ = nullptr;
  LinkConfig config_;
  std::unique_ptr<Queue> queue_;
  std::optional<Packet> sending_;
  Time sent_at_ = kNever;     // when `sending_` is out
  Ring<Flight> flights_;      // in order of arrival
  std::vector<Flight> late_;  // overtaken ones: few, the earliest last
  Time last_arrival_{};
  uint64_t opportunity_ = 0;       // of the trace: the next that is not used up
  uint32_t opportunity_left_ = 0;  // octets left of the one before it
  Time opportunity_time_{};        // when that was
  bool is_up_ = true, is_bad_ = false;
  uint32_t since_drop_ = 0;  // packets
  ChannelTotals totals_;
  Time noted_at_{};
  uint64_t dropped_before_ = 0, marked_before_ = 0;  // by queues that were replaced
};

}  // namespace braid::sim
