#include "scenario/traffic.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace braid::scenario {

namespace {
constexpr size_t kBlock = 64 * 1024;
constexpr Duration kOnOffTick = 5ms;
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

Traffic::Traffic(const WorkloadSpec& spec, const Ends& ends, uint64_t seed)
    : spec_(spec),
      ends_(ends),
      random_(seed),
      client_(*this, *ends.client, seed, seed + 1),
      server_(*this, *ends.server, seed + 1, seed),
      buffer_(kBlock) {}

bool Traffic::is_endless() const {
  if (spec_.kind == WorkloadSpec::Kind::kRequests) return !spec_.requests.has_value();
  return !spec_.bytes.has_value();
}

void Traffic::listen() {
  const auto listener = server_.node->host().listen(ends_.address, {});
  if (!listener) return on_lost(host::to_string(listener.error()));
  listener_ = *listener;
  server_.node->attach(listener_, server_);
}

void Traffic::wake_at(Time at) { ends_.client->schedule(*this, at); }

void Traffic::on_due(Time now) {
  if (is_over_) return;
  if (!is_started_) return start(now);
  make_more(now);
  pump(now);
}

void Traffic::start(Time now) {
  is_started_ = true;
  const auto id = client_.node->host().connect(ends_.address, {}, now);
  if (!id) return on_lost(host::to_string(id.error()));
  client_.id = *id;
  client_.node->attach(*id, client_);
  if (spec_.kind == WorkloadSpec::Kind::kBulk) client_.allowed = spec_.bytes.value_or(UINT64_MAX);
  phase_end_ = now;
  client_.node->settle(now);
  make_more(now);
}

/// Lets time make data: the next block, request, or piece of an on-period.
void Traffic::make_more(Time now) {
  switch (spec_.kind) {
    case WorkloadSpec::Kind::kBulk:
      return;
    case WorkloadSpec::Kind::kBlocks:
      client_.allowed += spec_.block_bytes;
      marks_.push_back({client_.allowed, now});
      return wake_at(now + spec_.interval);
    case WorkloadSpec::Kind::kRequests:
      if (is_answered_) ask(now);
      return;
    case WorkloadSpec::Kind::kOnOff:
      break;
  }
  if (now >= phase_end_) {
    is_on_ = !is_on_;
    phase_end_ = now + Duration(static_cast<int64_t>(draw(is_on_ ? spec_.on : spec_.off, random_)));
  }
  const Time next = is_on_ ? std::min(phase_end_, now + kOnOffTick) : phase_end_;
  if (is_on_) {
    const double seconds = std::chrono::duration<double>(next - now).count();
    client_.allowed += static_cast<uint64_t>(seconds * static_cast<double>(spec_.bits_per_second) / 8);
    if (spec_.bytes) client_.allowed = std::min(client_.allowed, *spec_.bytes);
  }
  wake_at(std::max(next, now + 1us));
}

void Traffic::ask(Time now) {
  if (spec_.requests && requests_made_ >= *spec_.requests) return;
  is_answered_ = false;
  is_asking_ = true;
  ++requests_made_;
  asked_at_ = now;
  client_.allowed += std::max<uint64_t>(static_cast<uint64_t>(draw(spec_.request, random_)), 1);
  request_end_ = client_.allowed;
}

/// The server has the whole request.
void Traffic::answer(Time now) {
  is_asking_ = false;
  server_.allowed += std::max<uint64_t>(static_cast<uint64_t>(draw(spec_.response, random_)), 1);
  response_end_ = server_.allowed;
  write(server_, now);
  server_.node->settle(now);
}

void Traffic::on_event(End& end, const host::Event& event, Time now) {
  if (event.kind == host::Event::Kind::kAcceptable) {
    end.id = end.node->host().accept(listener_);
    if (end.id == host::ConnectionId::kNone) return;
    end.node->attach(end.id, end);
    return read(end, now);
  }
  if (event.what == mptcp::ConnectionEvent::kFailed) {
    read(end, now);
    const mptcp::Connection* connection = end.connection();
    const auto why =
        host::to_error(connection != nullptr ? connection->error() : mptcp::ConnectionError::kNone);
    return on_lost(fmt::format("{}: {}", end.node->name(), host::to_string(why)));
  }
  if (event.what == mptcp::ConnectionEvent::kEstablished) is_established_ = true;
  write(end, now);
  read(end, now);
}

void Traffic::on_lost(std::string_view why) {
  if (is_over_) return;
  for (End* end : {&client_, &server_}) {
    if (const mptcp::Connection* connection = end->connection()) end->last = connection->info();
  }
  failure_ = why;
  is_over_ = true;
}

void Traffic::pump(Time now) {
  for (End* end : {&client_, &server_}) {
    write(*end, now);
    end->node->settle(now);
  }
}

void Traffic::write(End& end, Time now) {
  mptcp::Connection* connection = end.connection();
  if (connection == nullptr || !connection->is_established() || end.is_ended) return;
  while (end.sent < end.allowed) {
    const auto part = std::span(buffer_).first(std::min<uint64_t>(buffer_.size(), end.allowed - end.sent));
    end.outgoing.fill(end.sent, part);
    const size_t taken = connection->send(part, now);
    end.sent += taken;
    if (taken < part.size()) return;
  }
  const bool has_all = spec_.bytes && end.sent >= *spec_.bytes && &end == &client_;
  if (has_all) {
    end.is_ended = true;
    connection->shut_down_send(now);
  }
}

void Traffic::read(End& end, Time now) {
  mptcp::Connection* connection = end.connection();
  if (connection == nullptr) return;
  bool has_read = false;
  while (const size_t n = connection->receive(buffer_, now)) {
    if (!end.incoming.matches(end.received, std::span(buffer_).first(n))) end.is_intact = false;
    end.received += n;
    has_read = true;
  }
  if (has_read) on_received(end, now);
  if (connection->is_end_of_stream() && !end.is_ended) {
    end.is_ended = true;
    connection->shut_down_send(now);
  }
  if (&end == &server_ && spec_.bytes && end.received >= *spec_.bytes) finish(now);
}

void Traffic::on_received(End& end, Time now) {
  if (first_byte_ == kNever) {
    first_byte_ = now;
  } else {
    longest_gap_ = std::max(longest_gap_, now - last_byte_);
  }
  last_byte_ = now;
  if (&end == &server_) {
    while (!marks_.empty() && marks_.front().end <= end.received) {
      delays_.push_back(std::chrono::duration<double>(now - marks_.front().made).count());
      marks_.pop_front();
    }
    if (is_asking_ && end.received >= request_end_) answer(now);
    return;
  }
  if (spec_.kind != WorkloadSpec::Kind::kRequests || is_answered_ || is_asking_ ||
      end.received < response_end_)
    return;
  is_answered_ = true;
  delays_.push_back(std::chrono::duration<double>(now - asked_at_).count());
  if (spec_.requests && requests_made_ >= *spec_.requests) return finish(now);
  wake_at(now + Duration(static_cast<int64_t>(draw(spec_.think, random_))));
}

void Traffic::finish(Time) {
  if (is_over_) return;
  for (End* end : {&client_, &server_}) {
    if (const mptcp::Connection* connection = end->connection()) end->last = connection->info();
  }
  is_over_ = true;
}

mptcp::ConnectionInfo Traffic::info(bool of_server) const {
  const End& end = of_server ? server_ : client_;
  if (is_over_) return end.last;
  const mptcp::Connection* connection = end.node->host().find(end.id);
  return connection != nullptr ? connection->info() : end.last;
}

}  // namespace braid::scenario
