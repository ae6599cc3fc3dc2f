// The engine's host on a virtual clock, and everything that it sends.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "base/random.h"
#include "host/host.h"
#include "segments/language/octets.h"
#include "segments/language/peer.h"
#include "segments/language/settings.h"

namespace braid::segments {

/// Gives the key that the scenario asks for while the host fills its key pool, then a seeded generator.
class ScriptedRandom final : public RandomSource {
 public:
  explicit ScriptedRandom(std::optional<uint64_t> key) : key_(key) {}
  uint64_t next64() override { return key_.has_value() ? *key_ : random_.next64(); }
  void release() { key_.reset(); }

 private:
  std::optional<uint64_t> key_;
  SeededRandom random_{20240229};
};

class Stage {
 public:
  explicit Stage(const Settings& settings);

  struct Sent {
    Time at;
    Peer::Arrival arrival;
  };

  // ---- commands
  void deliver(int interface, const Octets& packet);
  /// Lets the host do all that is due until `time`; it is that time then.
  void run_to(Time time);
  /// Lets time go on until the host has sent something, at most until `limit`. Says whether it has.
  bool run_until_sent(Time limit);
  void settle();

  // ---- getters
  Time now() const { return now_; }
  host::Host& host() { return *host_; }
  Peer& peer() { return peer_; }
  std::deque<Sent>& sent() { return sent_; }
  std::vector<host::Event>& events() { return events_; }

 private:
  struct Sink;
  Peer peer_;
  ScriptedRandom random_;
  ChunkPool pool_;
  std::unique_ptr<host::Host> host_;
  Time now_{};
  std::deque<Sent> sent_;
  std::vector<host::Event> events_;
};

}  // namespace braid::segments
