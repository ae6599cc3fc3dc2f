// Applications of the tests: each end of a transfer sends its pattern, checks the other's, and closes.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "sim/pattern.h"
#include "support/virtual_network.h"

namespace braid::test {

struct TransferOptions {
  uint64_t send_bytes = 0;
  uint64_t send_seed = 1, receive_seed = 2;
  size_t write_chunk = 16384, read_chunk = 65536;
  /// A slow reader: reads one chunk, then sleeps.
  Duration read_pause{0};
  /// Goes on sending until told to stop; send_bytes is ignored.
  bool is_endless = false;
};

class Transfer final : public Application {
 public:
  Transfer(Node& node, host::ConnectionId id, const TransferOptions& options);
  ~Transfer() override;

  void on_event(const host::Event& event, Time now) override;
  Time next_wake() const override { return wake_at_; }
  void on_wake(Time now) override;

  /// An endless one sends no more, and closes.
  void stop(Time now);

  host::ConnectionId id() const { return id_; }
  mptcp::Connection* connection() { return node_.host().find(id_); }
  uint64_t sent_bytes() const { return sent_; }
  uint64_t received_bytes() const { return received_; }
  bool is_established() const { return is_established_; }
  bool is_end_seen() const { return is_end_seen_; }
  bool is_intact() const { return is_intact_; }
  /// Everything sent and taken over by the engine, the end of the other's stream seen, handle closed.
  bool is_done() const { return is_closed_; }
  bool has_failed() const { return error_ != host::Error::kNone; }
  host::Error error() const { return error_; }
  /// The longest time between two arrivals of new data, from the first on.
  Duration longest_gap() const { return longest_gap_; }
  void forget_gaps(Time now) { longest_gap_ = Duration(0), last_arrival_ = now; }

 private:
  void write(mptcp::Connection& connection, Time now);
  void read(mptcp::Connection& connection, Time now);
  void progress(Time now);

  Node& node_;
  host::ConnectionId id_;
  TransferOptions options_;
  sim::Pattern outgoing_, incoming_;
  std::vector<std::byte> buffer_;
  uint64_t sent_ = 0, received_ = 0;
  bool is_established_ = false, is_shut_ = false, is_end_seen_ = false, is_intact_ = true, is_closed_ = false;
  host::Error error_ = host::Error::kNone;
  Time wake_at_ = kNever;
  Time last_arrival_{};
  Duration longest_gap_{0};
};

/// Accepts connections and gives each a Transfer.
class Server final : public Application {
 public:
  Server(Node& node, const wire::Endpoint& local, const TransferOptions& options,
         const host::ListenOptions& listen_options = {});

  void on_event(const host::Event& event, Time now) override;

  host::ListenerId listener() const { return listener_; }
  std::vector<std::unique_ptr<Transfer>>& transfers() { return transfers_; }
  bool are_all_done() const;

 private:
  Node& node_;
  TransferOptions options_;
  host::ListenerId listener_;
  std::vector<std::unique_ptr<Transfer>> transfers_;
};

}  // namespace braid::test
