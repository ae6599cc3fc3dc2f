#include "service/connection_history.h"

#include <algorithm>

namespace braid::service {

namespace {

using mptcp::Decision;
using Kind = Decision::Kind;

constexpr size_t kFirstShare = 4;    // one in so many entries is kept from the beginning
constexpr int kLongestLook = 16;     // back, for one alike
constexpr size_t kMostWords = 1024;  // names of plug-ins come and go
constexpr size_t kLongestPacket = 256;

/// What may come in great numbers; several alike are one entry.
bool is_repeatable(const Decision& d) {
  switch (d.kind) {
    case Kind::kReinjected:
    case Kind::kPenalised:
    case Kind::kPathDoubted:
    case Kind::kPathTrusted:
    case Kind::kPathWithheld:
    case Kind::kJoinRefused:
    case Kind::kSubflowOpened:
    case Kind::kSubflowAccepted:
      return true;
    case Kind::kSubflowEnded:
      return d.amount == 0;  // a join that came to nothing: they are repeated
    default:
      return false;
  }
}

bool is_about_attempt(Kind kind) {
  return kind == Kind::kSubflowOpened || kind == Kind::kSubflowAccepted || kind == Kind::kSubflowEnded;
}

bool is_alike(const Decision& a, const Decision& b) {
  return a.kind == b.kind && a.why == b.why && a.detail == b.detail && a.address == b.address &&
         a.tuple.local.address == b.tuple.local.address && a.tuple.remote.address == b.tuple.remote.address &&
         (is_about_attempt(a.kind) || a.subflow == b.subflow);
}

bool is_begin_of(const Decision& begin, const Decision& end) {
  return end.kind == Kind::kSubflowEnded && begin.kind != end.kind && is_about_attempt(begin.kind) &&
         begin.tuple.local.address == end.tuple.local.address &&
         begin.tuple.remote.address == end.tuple.remote.address;
}

}  // namespace

// ---- ConnectionHistory

std::vector<const HistoryEntry*> ConnectionHistory::entries() const {
  std::vector<const HistoryEntry*> all;
  all.reserve(first_.size() + last_.size());
  for (const HistoryEntry& entry : first_) all.push_back(&entry);
  for (size_t i = 0; i < last_.size(); ++i) all.push_back(&last_[(oldest_ + i) % last_.size()]);
  return all;
}

uint64_t ConnectionHistory::memory_bytes() const {
  return sizeof(*this) + (first_.capacity() + last_.capacity()) * sizeof(HistoryEntry) + packet_bytes_;
}

/// Among the latest, as long as they are of the kind that repeats itself.
HistoryEntry* ConnectionHistory::find_alike(const Decision& decision) {
  if (!is_repeatable(decision)) return nullptr;
  const size_t count = first_.size() + last_.size();
  for (size_t back = 1; back <= std::min<size_t>(count, kLongestLook); ++back) {
    HistoryEntry& entry =
        back <= last_.size() ? last_[(oldest_ + last_.size() - back) % last_.size()] : first_[count - back];
    if (is_alike(entry.decision, decision)) return &entry;
    // The end of an attempt stands after its beginning, and not with the end of an earlier one.
    if (!is_repeatable(entry.decision) || is_begin_of(entry.decision, decision)) return nullptr;
  }
  return nullptr;
}

void ConnectionHistory::add(HistoryEntry entry, uint32_t most) {
  if (entry.packet != nullptr) packet_bytes_ += entry.packet->size() + sizeof(std::string);
  const size_t most_first = std::max<size_t>(most / kFirstShare, 1);
  const size_t most_last = std::max<size_t>(most - std::min<size_t>(most, most_first), 1);
  if (first_.size() < most_first) {
    first_.push_back(std::move(entry));
  } else if (last_.size() < most_last) {
    last_.push_back(std::move(entry));
  } else {
    HistoryEntry& gone = last_[oldest_];
    if (gone.packet != nullptr) packet_bytes_ -= gone.packet->size() + sizeof(std::string);
    left_out += gone.count;
    gone = std::move(entry);
    oldest_ = (oldest_ + 1) % last_.size();
  }
}

// ---- ConnectionHistories

void ConnectionHistories::on_decision(const mptcp::Connection& connection, const Decision& decision,
                                      Time now) {
  if (next_ != nullptr) next_->on_decision(connection, decision, now);
  if (limits_.memory_bytes == 0) return;
  ConnectionHistory* const history = find_or_begin(connection, decision, now);
  if (history == nullptr) return;
  memory_bytes_ -= history->memory_bytes();
  if (connection.local_token() != 0) history->token = connection.local_token();
  if (decision.kind == Kind::kMultipath) history->is_multipath = true;
  if (decision.kind == Kind::kFellBack) history->is_multipath = false;
  if (decision.kind == Kind::kOpened) {
    history->state = ConnectionHistory::State::kOpen;
    history->ends = decision.tuple;
  }
  record(*history, decision, now);
  memory_bytes_ += history->memory_bytes();
  if (decision.kind == Kind::kClosed || decision.kind == Kind::kFailed)
    on_over(*history, connection, decision, now);
  make_room(now);
}

/// Null for what is not worth one: the end of something that is forgotten, or that never began.
ConnectionHistory* ConnectionHistories::find_or_begin(const mptcp::Connection& connection,
                                                      const Decision& decision, Time now) {
  if (connection.log_number != 0) {
    const auto found = histories_.find(connection.log_number);
    if (found != histories_.end()) return &found->second;
    // Forgotten since. What follows the end of one is not worth beginning again.
    if (decision.kind == Kind::kSubflowEnded) return nullptr;
  }
  // A handshake that nobody completed: the program never saw it, and whoever scans ports makes thousands.
  if (decision.kind == Kind::kFailed && connection.is_server() && connection.log_number == 0) return nullptr;
  const bool was_known = connection.log_number != 0;
  connection.log_number = ++last_number_;
  ConnectionHistory& history = histories_[last_number_];
  history.number = last_number_;
  history.has_forgotten = was_known;
  history.state = connection.is_established() ? ConnectionHistory::State::kOpen : history.state;
  history.is_server = connection.is_server();
  history.is_multipath = connection.multipath_state() == mptcp::MultipathState::kEstablished;
  history.ends = {connection.local(), connection.remote()};
  history.begun = now;
  memory_bytes_ += history.memory_bytes();
  return &history;
}

void ConnectionHistories::record(ConnectionHistory& history, const Decision& decision, Time now) {
  if (HistoryEntry* const alike = history.find_alike(decision)) {
    ++alike->count;
    alike->last_at = now;
    alike->decision.amount += decision.amount;
    return;
  }
  HistoryEntry entry{.decision = decision, .at = now, .last_at = now};
  entry.decision.why = keep(decision.why);
  entry.decision.detail = keep(decision.detail);
  if (!decision.packet.empty()) {
    entry.packet = std::make_unique<std::string>(decision.packet.substr(0, kLongestPacket));
    entry.decision.packet = *entry.packet;
  }
  history.add(std::move(entry), limits_.decisions);
}

void ConnectionHistories::on_over(ConnectionHistory& history, const mptcp::Connection& connection,
                                  const Decision& decision, Time now) {
  if (history.is_over()) return;
  if (history.is_server && history.state == ConnectionHistory::State::kOpening) return forget(history.number);
  history.state =
      decision.kind == Kind::kFailed ? ConnectionHistory::State::kFailed : ConnectionHistory::State::kClosed;
  history.over = now;
  history.were_paths_due = connection.are_paths_due();
  const mptcp::ConnectionInfo info = connection.info();
  history.sent_bytes = info.sent_bytes;
  history.received_bytes = info.received_bytes;
  over_.push_back(history.number);
}

void ConnectionHistories::make_room(Time now) {
  while (!over_.empty()) {
    const auto oldest = histories_.find(over_.front());
    const bool has_to_go = oldest == histories_.end() || over_.size() > limits_.closed_connections ||
                           now - oldest->second.over > limits_.closed_for ||
                           memory_bytes_ > limits_.memory_bytes;
    if (!has_to_go) return;
    const uint64_t number = over_.front();
    over_.pop_front();
    forget(number);
  }
  while (memory_bytes_ > limits_.memory_bytes && !histories_.empty()) forget(histories_.begin()->first);
}

void ConnectionHistories::forget(uint64_t number) {
  const auto found = histories_.find(number);
  if (found == histories_.end()) return;
  memory_bytes_ -= found->second.memory_bytes();
  histories_.erase(found);
}

/// A view that stays good.
std::string_view ConnectionHistories::keep(std::string_view word) {
  if (word.empty()) return {};
  const auto known = words_.find(std::string(word));
  if (known != words_.end()) return *known;
  if (words_.size() == kMostWords) return "(another)";
  return *words_.emplace(word).first;
}

std::vector<const ConnectionHistory*> ConnectionHistories::all(Time now) {
  make_room(now);
  std::vector<const ConnectionHistory*> out;
  out.reserve(histories_.size());
  for (const auto& [number, history] : histories_) out.push_back(&history);
  return out;
}

const ConnectionHistory* ConnectionHistories::find(uint64_t number) const {
  const auto found = histories_.find(number);
  return found == histories_.end() ? nullptr : &found->second;
}

}  // namespace braid::service
