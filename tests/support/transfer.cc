#include "support/transfer.h"

#include <algorithm>

#include "base/check.h"

namespace braid::test {

using mptcp::ConnectionEvent;

Transfer::Transfer(Node& node, host::ConnectionId id, const TransferOptions& options)
    : node_(node),
      id_(id),
      options_(options),
      outgoing_(options.send_seed),
      incoming_(options.receive_seed),
      buffer_(std::max(options.write_chunk, options.read_chunk)) {
  node_.attach(id, *this);
}

Transfer::~Transfer() = default;

void Transfer::on_event(const host::Event& event, Time now) {
  if (event.what == ConnectionEvent::kEstablished) is_established_ = true;
  if (event.what == ConnectionEvent::kFailed) {
    if (mptcp::Connection* connection = this->connection()) {
      read(*connection, now);
      error_ = host::to_error(connection->error());
      node_.host().close(id_, now);
    }
    return;
  }
  progress(now);
}

void Transfer::on_wake(Time now) {
  wake_at_ = kNever;
  progress(now);
}

void Transfer::stop(Time now) {
  options_.is_endless = false;
  options_.send_bytes = sent_;
  progress(now);
}

void Transfer::write(mptcp::Connection& connection, Time now) {
  while (options_.is_endless || sent_ < options_.send_bytes) {
    const uint64_t left = options_.is_endless ? options_.write_chunk : options_.send_bytes - sent_;
    const auto chunk = std::span(buffer_).first(std::min<uint64_t>(options_.write_chunk, left));
    outgoing_.fill(sent_, chunk);
    const size_t taken = connection.send(chunk, now);
    sent_ += taken;
    if (taken < chunk.size()) return;
  }
  if (!is_shut_) {
    is_shut_ = true;
    connection.shut_down_send(now);
  }
}

void Transfer::read(mptcp::Connection& connection, Time now) {
  while (wake_at_ == kNever) {
    const auto chunk = std::span(buffer_).first(options_.read_chunk);
    const size_t n = connection.receive(chunk, now);
    if (n > 0) {
      if (received_ > 0) longest_gap_ = std::max(longest_gap_, now - last_arrival_);
      last_arrival_ = now;
      if (!incoming_.matches(received_, chunk.first(n))) is_intact_ = false;
      received_ += n;
    }
    if (connection.is_end_of_stream()) is_end_seen_ = true;
    if (n == 0) return;
    if (options_.read_pause > Duration(0)) wake_at_ = now + options_.read_pause;
  }
}

void Transfer::progress(Time now) {
  mptcp::Connection* connection = this->connection();
  if (connection == nullptr) return;
  if (connection->has_begun()) write(*connection, now);
  read(*connection, now);
  if (is_shut_ && is_end_seen_) {
    is_closed_ = true;
    node_.host().close(id_, now);
  }
}

Server::Server(Node& node, const wire::Endpoint& local, const TransferOptions& options,
               const host::ListenOptions& listen_options)
    : node_(node), options_(options) {
  const auto listener = node.host().listen(local, listen_options);
  BRAID_CHECK(listener.has_value());
  listener_ = *listener;
  node.attach(listener_, *this);
}

void Server::on_event(const host::Event& /*event*/, Time now) {
  for (auto id = node_.host().accept(listener_); id != host::ConnectionId::kNone;
       id = node_.host().accept(listener_)) {
    transfers_.push_back(std::make_unique<Transfer>(node_, id, options_));
    transfers_.back()->on_wake(now);
  }
}

bool Server::are_all_done() const {
  return std::all_of(transfers_.begin(), transfers_.end(), [](const auto& t) { return t->is_done(); });
}

}  // namespace braid::test
