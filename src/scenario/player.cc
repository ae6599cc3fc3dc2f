#include "scenario/player.h"

#include <algorithm>
#include <cmath>

namespace braid::scenario {

namespace {
constexpr size_t kBlock = 64 * 1024;
constexpr Duration kOnOffTick = 5ms;

double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }
}  // namespace

double draw(const Distribution& distribution, RandomSource& random) {
  switch (distribution.shape) {
    case Distribution::Shape::kConstant:
      return distribution.mean;
    case Distribution::Shape::kExponential:
      return -distribution.mean * std::log(1 - random.unit());
    case Distribution::Shape::kPareto: {
      const double least = distribution.mean * (distribution.alpha - 1) / distribution.alpha;
      return least / std::pow(1 - random.unit(), 1 / distribution.alpha);
    }
  }
  return distribution.mean;
}

Player::Player(const WorkloadSpec& spec, Role role, uint64_t seed)
    : spec_(spec),
      role_(role),
      random_(seed),
      outgoing_(role == Role::kClient ? seed : seed + 1),
      incoming_(role == Role::kClient ? seed + 1 : seed),
      buffer_(kBlock) {
  if (role == Role::kServer && spec_.kind == WorkloadSpec::Kind::kRequests) draw_exchange();
}

void Player::start(Time now) {
  if (spec_.kind == WorkloadSpec::Kind::kBulk) {
    allowed_ = spec_.bytes.value_or(UINT64_MAX);
    return;
  }
  phase_end_ = now;
  due_ = now;
  advance(now);
}

void Player::advance(Time now) {
  while (due_ <= now) {
    switch (spec_.kind) {
      case WorkloadSpec::Kind::kBulk:
        due_ = kNever;
        break;
      case WorkloadSpec::Kind::kBlocks:
        allowed_ += spec_.block_bytes;
        due_ += spec_.interval;
        break;
      case WorkloadSpec::Kind::kRequests:
        due_ = kNever;
        ask(now);
        break;
      case WorkloadSpec::Kind::kOnOff:
        make_on_off(due_);
        break;
    }
  }
}

void Player::make_on_off(Time now) {
  if (now >= phase_end_) {
    is_on_ = !is_on_;
    phase_end_ = now + Duration(static_cast<int64_t>(draw(is_on_ ? spec_.on : spec_.off, random_)));
  }
  const Time next = is_on_ ? std::min(phase_end_, now + kOnOffTick) : phase_end_;
  if (is_on_) {
    allowed_ += static_cast<uint64_t>(seconds(next - now) * static_cast<double>(spec_.bits_per_second) / 8);
    if (spec_.bytes) allowed_ = std::min(allowed_, *spec_.bytes);
  }
  due_ = std::max(next, now + 1us);
}

/// Both ends draw all of it, in this order.
void Player::draw_exchange() {
  const auto size = [this](const Distribution& d) {
    return std::max<uint64_t>(static_cast<uint64_t>(draw(d, random_)), 1);
  };
  request_end_ += size(spec_.request);
  response_end_ += size(spec_.response);
  think_ = Duration(static_cast<int64_t>(draw(spec_.think, random_)));
  ++exchanges_;
}

void Player::ask(Time now) {
  if (spec_.requests && exchanges_ >= *spec_.requests) return;
  draw_exchange();
  allowed_ = request_end_;
  asked_at_ = now;
  is_waiting_ = true;
}

void Player::pump(Stream& stream, Time now) {
  bool has_read = read(stream, now);
  write(stream);
  // Room may have been made, and more come, meanwhile.
  while (has_read) {
    has_read = read(stream, now);
    write(stream);
  }
}

void Player::write(Stream& stream) {
  if (is_ended_) return;
  while (sent_ < allowed_) {
    const auto part = std::span(buffer_).first(std::min<uint64_t>(buffer_.size(), allowed_ - sent_));
    outgoing_.fill(sent_, part);
    const size_t taken = stream.send(part);
    sent_ += taken;
    if (taken < part.size()) return;
  }
  const bool has_all = role_ == Role::kClient && spec_.bytes && sent_ >= *spec_.bytes;
  if (has_all || (role_ == Role::kServer && stream.is_end_of_stream())) {
    is_ended_ = true;
    stream.shut_down_send();
  }
}

bool Player::read(Stream& stream, Time now) {
  bool has_read = false;
  while (const size_t n = stream.receive(buffer_)) {
    if (!incoming_.matches(received_, std::span(buffer_).first(n))) is_intact_ = false;
    received_ += n;
    has_read = true;
  }
  if (has_read) on_received(now);
  return has_read;
}

void Player::on_received(Time now) {
  if (has_received_) longest_gap_ = std::max(longest_gap_, now - last_byte_);
  has_received_ = true;
  last_byte_ = now;
  if (role_ == Role::kClient) return on_answer(now);
  if (spec_.kind == WorkloadSpec::Kind::kBlocks) on_blocks(now);
  if (spec_.kind == WorkloadSpec::Kind::kRequests) on_requests();
  if (is_over_ || !spec_.bytes || received_ < *spec_.bytes) return;
  is_over_ = true;
  if (spec_.is_of_trace) delays_.push_back(seconds(now - spec_.start));
}

/// A block is made at its time, however long it then waits for its connection.
void Player::on_blocks(Time now) {
  while ((blocks_received_ + 1) * spec_.block_bytes <= received_) {
    const Time made = spec_.start + static_cast<int64_t>(blocks_received_) * spec_.interval;
    delays_.push_back(seconds(now - made));
    ++blocks_received_;
  }
}

void Player::on_requests() {
  while (received_ >= request_end_) {
    allowed_ = response_end_;
    draw_exchange();
  }
}

void Player::on_answer(Time now) {
  if (!is_waiting_ || received_ < response_end_) return;
  is_waiting_ = false;
  delays_.push_back(seconds(now - asked_at_));
  if (spec_.requests && exchanges_ >= *spec_.requests) {
    is_over_ = true;
  } else {
    due_ = now + think_;
  }
}

}  // namespace braid::scenario
