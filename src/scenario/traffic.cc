#include "scenario/traffic.h"

#include <fmt/format.h>

#include <algorithm>

namespace braid::scenario {

namespace {

class ConnectionStream final : public Stream {
 public:
  ConnectionStream(mptcp::Connection& connection, Time now) : connection_(connection), now_(now) {}
  size_t send(std::span<const std::byte> bytes) override {
    return connection_.has_begun() ? connection_.send(bytes, now_) : 0;
  }
  size_t receive(std::span<std::byte> out) override { return connection_.receive(out, now_); }
  void shut_down_send() override { connection_.shut_down_send(now_); }
  bool is_end_of_stream() const override { return connection_.is_end_of_stream(); }

 private:
  mptcp::Connection& connection_;
  Time now_;
};

}  // namespace

Traffic::Traffic(const WorkloadSpec& spec, const Ends& ends, uint64_t seed)
    : spec_(spec),
      ends_(ends),
      client_(*this, *ends.client, Player::Role::kClient, seed),
      server_(*this, *ends.server, Player::Role::kServer, seed) {}

void Traffic::listen() {
  const auto listener = server_.node->host().listen(ends_.address, {});
  if (!listener) return on_lost(host::to_string(listener.error()));
  listener_ = *listener;
  server_.node->attach(listener_, server_);
}

void Traffic::reschedule() {
  if (!is_over_) ends_.client->schedule(*this, client_.player.next_due());
}

void Traffic::on_due(Time now) {
  if (is_over_) return;
  if (!is_started_) return start(now);
  client_.player.advance(now);
  pump(client_, now);
  client_.node->settle(now);
  reschedule();
}

void Traffic::start(Time now) {
  is_started_ = true;
  const auto id = client_.node->host().connect(ends_.address, {}, now);
  if (!id) return on_lost(host::to_string(id.error()));
  client_.id = *id;
  client_.node->attach(*id, client_);
  client_.player.start(now);
  // With Fast Open there may be something to send at once.
  if (const mptcp::Connection* made = client_.connection(); made != nullptr && made->has_begun())
    pump(client_, now);
  if (is_over_) return;
  client_.node->settle(now);
  reschedule();
}

void Traffic::on_event(End& end, const host::Event& event, Time now) {
  if (event.kind == host::Event::Kind::kAcceptable) {
    end.id = end.node->host().accept(listener_);
    if (end.id == host::ConnectionId::kNone) return;
    end.node->attach(end.id, end);
    return pump(end, now);
  }
  pump(end, now);
  if (event.what == mptcp::ConnectionEvent::kFailed) {
    const mptcp::Connection* connection = end.connection();
    const auto why =
        host::to_error(connection != nullptr ? connection->error() : mptcp::ConnectionError::kNone);
    on_lost(fmt::format("{}: {}", end.node->name(), host::to_string(why)));
  }
}

void Traffic::pump(End& end, Time now) {
  mptcp::Connection* connection = end.connection();
  if (connection == nullptr) return;
  ConnectionStream stream(*connection, now);
  end.player.pump(stream, now);
  if (end.player.is_over()) return on_over();
  if (&end == &client_) reschedule();
}

void Traffic::on_lost(std::string_view why) {
  if (is_over_) return;
  failure_ = why;
  on_over();
}

void Traffic::on_over() {
  if (is_over_) return;
  for (End* end : {&client_, &server_}) {
    if (const mptcp::Connection* connection = end->connection()) end->last = connection->info();
  }
  is_over_ = true;
}

Duration Traffic::longest_gap() const {
  return spec_.kind == WorkloadSpec::Kind::kRequests ? client_.player.longest_gap()
                                                     : server_.player.longest_gap();
}

const std::vector<double>& Traffic::delays() const {
  return spec_.kind == WorkloadSpec::Kind::kRequests ? client_.player.delays() : server_.player.delays();
}

mptcp::ConnectionInfo Traffic::info(bool of_server) const {
  const End& end = of_server ? server_ : client_;
  const mptcp::Connection* connection = is_over_ ? nullptr : end.connection();
  return connection != nullptr ? connection->info() : end.last;
}

}  // namespace braid::scenario
