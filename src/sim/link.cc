#include "sim/link.h"

namespace braid::sim {

/// From one box to the next in its direction, or to the queue.
class Link::Output final : public MiddleboxOutput {
 public:
  Output(Link& link, size_t box, Time now) : link_(link), box_(box), now_(now) {}
  void emit(Direction towards, Packet packet) override {
    const size_t next = towards == Direction::kForward ? box_ + 1 : box_ - 1;  // under 0 is beyond the end
    link_.pass(next, towards, std::move(packet), now_);
  }
  ChunkPool& pool() override { return link_.pool_; }

 private:
  Link& link_;
  size_t box_;
  Time now_;
};

Link::Link(std::string name, EventQueue& events, ChunkPool& pool, uint64_t seed)
    : name_(std::move(name)),
      events_(events),
      pool_(pool),
      channels_{Channel(events, pool, seed), Channel(events, pool, seed ^ 0x9e3779b97f4a7c15)} {}

void Link::connect(Port& first, Port& second) {
  ends_ = {&first, &second};
  channel(Direction::kForward).set_destination(second);
  channel(Direction::kBackward).set_destination(first);
}

void Link::configure(Direction direction, const LinkConfig& config, Time now) {
  channel(direction).configure(config, now);
}

void Link::set_up(bool is_up, Notice notice, Time now) {
  for (Channel& channel : channels_) channel.set_up(is_up, now);
  if (notice == Notice::kSilent) return;
  for (Port* end : ends_) end->on_carrier(is_up, now);
}

void Link::add_middlebox(std::unique_ptr<Middlebox> box) { boxes_.push_back(std::move(box)); }

void Link::send(Direction direction, Packet packet, Time now) {
  if (tap_send) tap_send(direction, packet, now);
  if (boxes_.empty()) return channel(direction).send(std::move(packet), now);
  pass(direction == Direction::kForward ? 0 : boxes_.size() - 1, direction, std::move(packet), now);
  reschedule();
}

void Link::pass(size_t box, Direction direction, Packet packet, Time now) {
  if (box >= boxes_.size()) return channel(direction).send(std::move(packet), now);
  Output output(*this, box, now);
  boxes_[box]->on_packet(direction, std::move(packet), output, now);
}

void Link::on_due(Time now) {
  for (size_t i = 0; i < boxes_.size(); ++i) {
    if (boxes_[i]->next_deadline() > now) continue;
    Output output(*this, i, now);
    boxes_[i]->on_timer(output, now);
  }
  reschedule();
}

void Link::reschedule() {
  Time next = kNever;
  for (const auto& box : boxes_) next = earlier(next, box->next_deadline());
  events_.schedule(*this, next);
}

}  // namespace braid::sim
