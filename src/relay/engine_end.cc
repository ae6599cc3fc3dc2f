#include "relay/engine_end.h"

#include <algorithm>

namespace braid::relay {

EngineEnd::EngineEnd(io::LiveHost& live, host::ConnectionId connection)
    : live_(live), connection_(connection) {
  live_.watch(connection_, [this](const host::Event& event) { on_event(event); });
}

EngineEnd::~EngineEnd() { reset(); }

void EngineEnd::on_event(const host::Event& event) {
  if (event.what == mptcp::ConnectionEvent::kFailed) has_failed_ = true;
  tell_change();
}

size_t EngineEnd::readable_runs(std::span<Bytes> runs) {
  const mptcp::Connection* const c = connection();
  return c != nullptr ? c->readable_runs(runs) : 0;
}

void EngineEnd::consume(size_t bytes) {
  if (mptcp::Connection* const c = connection()) c->consume(bytes, live_.now());
}

bool EngineEnd::is_at_end() const {
  const mptcp::Connection* const c = connection();
  return c != nullptr && c->is_end_of_stream();
}

size_t EngineEnd::write(std::span<const Bytes> runs) {
  mptcp::Connection* const c = connection();
  size_t taken = 0;
  if (c == nullptr) return 0;
  for (const Bytes& run : runs) {
    const size_t n = c->send(run, live_.now());
    taken += n;
    if (n < run.size()) break;
  }
  return taken;
}

void EngineEnd::finish() {
  if (mptcp::Connection* const c = connection()) c->shut_down_send(live_.now());
}

bool EngineEnd::let_go() {
  if (is_gone_) return false;
  is_gone_ = true;
  live_.unwatch(connection_);
  return true;
}

void EngineEnd::close() {
  if (let_go()) live_.host().close(connection_, live_.now());
}

void EngineEnd::reset() {
  if (let_go()) live_.host().abort(connection_, live_.now());
}

}  // namespace braid::relay
