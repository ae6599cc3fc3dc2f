#include "sim/channel.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/check.h"

namespace braid::sim {

Channel::Channel(EventQueue& events, ChunkPool& pool, uint64_t seed)
    : events_(events), pool_(pool), random_(seed), queue_(make_queue({}, pool, random_)) {}

void Channel::configure(const LinkConfig& config, Time now) {
  note_queue(now);
  config_ = config;
  std::unique_ptr<Queue> before = std::exchange(queue_, make_queue(config.queue, pool_, random_));
  BRAID_CHECK(queue_ != nullptr);
  while (std::optional<Packet> packet = before->dequeue(now)) queue_->enqueue(std::move(*packet), now);
  dropped_before_ += before->dropped();
  marked_before_ += before->marked();
  // The packet that is being sent goes on at the new rate, as if it had just begun.
  if (sending_) sent_at_ = end_of_sending(sending_->bytes.size(), now);
  reschedule();
}

void Channel::set_up(bool is_up, Time now) {
  if (is_up == is_up_) return;
  is_up_ = is_up;
  if (is_up) return;
  note_queue(now);
  while (queue_->dequeue(now)) ++totals_.dropped_down;
  totals_.dropped_down += flights_.size() + late_.size() + (sending_ ? 1 : 0);
  sending_.reset();
  sent_at_ = kNever;
  flights_.clear();
  late_.clear();
  reschedule();
}

void Channel::send(Packet packet, Time now) {
  if (tap_in) tap_in(packet, now);
  if (!is_up_) {
    ++totals_.dropped_down;
    return;
  }
  if (packet.bytes.size() > config_.mtu) {
    ++totals_.dropped_mtu;
    return;
  }
  if (config_.bits_per_second == 0 && config_.trace == nullptr) {
    put_on_wire(std::move(packet), now);
    return reschedule();
  }
  note_queue(now);
  queue_->enqueue(std::move(packet), now);
  totals_.queue_max_bytes = std::max(totals_.queue_max_bytes, queue_->bytes());
  if (sending_) return;
  start_next(now);
  reschedule();
}

void Channel::start_next(Time now) {
  note_queue(now);
  sending_ = queue_->dequeue(now);
  sent_at_ = sending_ ? end_of_sending(sending_->bytes.size(), now) : kNever;
}

Time Channel::end_of_sending(size_t bytes, Time now) {
  if (config_.trace == nullptr) {
    if (config_.bits_per_second == 0) return now;
    const auto ns = static_cast<int64_t>(
        std::ceil(static_cast<double>(bytes) * 8e9 / static_cast<double>(config_.bits_per_second)));
    totals_.busy += Duration(ns);
    return now + Duration(ns);
  }
  // What is left of an opportunity serves packets that wait at its very time, and is gone afterwards.
  if (opportunity_time_ < now) opportunity_left_ = 0;
  Time at = std::max(opportunity_time_, now);
  for (size_t left = bytes;;) {
    const size_t used = std::min<size_t>(left, opportunity_left_);
    left -= used;
    opportunity_left_ -= static_cast<uint32_t>(used);
    if (left == 0) break;
    opportunity_ = std::max(opportunity_, config_.trace->first_at(at));
    at = opportunity_time_ = config_.trace->time_of(opportunity_++);
    opportunity_left_ = RateTrace::kOpportunityBytes;
  }
  return std::max(at, now);
}

void Channel::finish_sending(Time now) {
  Packet packet = std::move(*sending_);
  sending_.reset();
  start_next(now);
  put_on_wire(std::move(packet), now);
}

bool Channel::is_lost() {
  if (config_.drop_every != 0 && ++since_drop_ >= config_.drop_every) {
    since_drop_ = 0;
    return true;
  }
  if (config_.bursts) {
    const GilbertElliott& bursts = *config_.bursts;
    if (happens(is_bad_ ? bursts.to_good : bursts.to_bad)) is_bad_ = !is_bad_;
    if (happens(is_bad_ ? bursts.loss_bad : bursts.loss_good)) return true;
  }
  return happens(config_.loss);
}

Duration Channel::jitter() {
  if (config_.jitter == Duration(0)) return Duration(0);
  const auto scale = static_cast<double>(config_.jitter.count());
  if (config_.jitter_shape == JitterShape::kUniform) {
    return Duration(static_cast<int64_t>(scale * random_.unit()));
  }
  const double radius = std::sqrt(-2 * std::log(1 - random_.unit()));
  return Duration(
      static_cast<int64_t>(std::max(0.0, scale * radius * std::cos(2 * std::numbers::pi * random_.unit()))));
}

void Channel::put_on_wire(Packet packet, Time now) {
  ++totals_.sent_packets;
  totals_.sent_bytes += packet.bytes.size();
  if (is_lost()) {
    ++totals_.dropped_loss;
    return;
  }
  if (happens(config_.corruption)) corrupt(packet);
  const Time arrival = now + config_.delay + jitter();
  if (happens(config_.reordering)) {
    ++totals_.reordered;
    const auto most = static_cast<uint64_t>(std::max<int64_t>(config_.reordering_delay.count(), 1));
    insert_late({std::move(packet), arrival + Duration(static_cast<int64_t>(random_.below(most)) + 1)});
    return;
  }
  // Jitter does not reorder: packets catch up with the one before.
  last_arrival_ = std::max(last_arrival_, arrival);
  if (happens(config_.duplication)) {
    ++totals_.duplicated;
    flights_.push_back({packet, last_arrival_});
  }
  flights_.push_back({std::move(packet), last_arrival_});
}

void Channel::insert_late(Flight flight) {
  const auto later = [](const Flight& a, const Flight& b) { return a.at > b.at; };
  late_.insert(std::lower_bound(late_.begin(), late_.end(), flight, later), std::move(flight));
}

void Channel::corrupt(Packet& packet) {
  ++totals_.corrupted;
  std::byte* const bytes = writable_bytes(packet, pool_);
  const uint64_t bit = random_.below(packet.bytes.size() * 8);
  bytes[bit / 8] ^= static_cast<std::byte>(1u << (bit % 8));
  packet.checksum = wire::ChecksumState::kUnverified;
}

void Channel::on_due(Time now) {
  while (sent_at_ <= now) finish_sending(sent_at_);
  deliver_due(now);
  reschedule();
}

void Channel::deliver_due(Time now) {
  for (;;) {
    const bool has_flight = !flights_.empty() && flights_.front().at <= now;
    const bool has_late = !late_.empty() && late_.back().at <= now;
    if (!has_flight && !has_late) return;
    if (has_late && (!has_flight || late_.back().at < flights_.front().at)) {
      Packet packet = std::move(late_.back().packet);
      late_.pop_back();
      deliver(std::move(packet), now);
    } else {
      deliver(flights_.pop_front().packet, now);
    }
  }
}

void Channel::deliver(Packet packet, Time now) {
  ++totals_.delivered_packets;
  totals_.delivered_bytes += packet.bytes.size();
  if (tap_out) tap_out(packet, now);
  to_->receive(std::move(packet), now);
}

void Channel::note_queue(Time now) {
  totals_.queue_byte_seconds +=
      static_cast<double>(queue_->bytes()) * std::chrono::duration<double>(now - noted_at_).count();
  noted_at_ = now;
}

ChannelTotals Channel::totals(Time now) const {
  ChannelTotals totals = totals_;
  totals.dropped_queue = dropped_before_ + queue_->dropped();
  totals.marked = marked_before_ + queue_->marked();
  totals.queue_byte_seconds +=
      static_cast<double>(queue_->bytes()) * std::chrono::duration<double>(now - noted_at_).count();
  return totals;
}

void Channel::reschedule() {
  Time next = sent_at_;
  if (!flights_.empty()) {
    next = earlier(next, flights_.front().at);
    will_look_at(flights_.front().packet.bytes.data());
  }
  if (!late_.empty()) next = earlier(next, late_.back().at);
  events_.schedule(*this, next);
}

}  // namespace braid::sim
