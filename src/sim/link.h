// A full-duplex link between two ports, with the middleboxes that sit on it.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "sim/channel.h"
#include "sim/middlebox/middlebox.h"

namespace braid::sim {

class Link final : public Actor {
 public:
  Link(std::string name, EventQueue& events, ChunkPool& pool, uint64_t seed);

  // ---- commands
  /// `first` is where kForward begins. Both outlive the link's use.
  void connect(Port& first, Port& second);
  void configure(Direction direction, const LinkConfig& config, Time now);
  /// kSilent: nobody is told, as when a path dies somewhere in the middle.
  enum class Notice : uint8_t { kSilent, kCarrier };
  void set_up(bool is_up, Notice notice, Time now);
  /// At the second end of those that are there: they stand before the queues, in both directions.
  void add_middlebox(std::unique_ptr<Middlebox> box);

  // ---- handle_*
  /// From the end where `direction` begins.
  void send(Direction direction, Packet packet, Time now);
  void on_due(Time now) override;

  // ---- getters
  const std::string& name() const { return name_; }
  Channel& channel(Direction direction) { return channels_[static_cast<size_t>(direction)]; }
  const Channel& channel(Direction direction) const { return channels_[static_cast<size_t>(direction)]; }
  const std::vector<std::unique_ptr<Middlebox>>& middleboxes() const { return boxes_; }
  bool is_up() const { return channels_[0].is_up(); }
  /// Sees each packet as its end sends it, before the middleboxes; Channel::tap_out is where it comes out.
  std::function<void(Direction direction, const Packet& packet, Time now)> tap_send;

 private:
  class Output;
  void pass(size_t box, Direction direction, Packet packet, Time now);
  void reschedule();

  std::string name_;
  EventQueue& events_;
  ChunkPool& pool_;
  std::array<Channel, 2> channels_;
  std::array<Port*, 2> ends_{};
  std::vector<std::unique_ptr<Middlebox>> boxes_;
};

}  // namespace braid::sim
