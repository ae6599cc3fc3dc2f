// Carries packets between the hosts' devices in real time, over the same links, routers and middleboxes as
// the simulator's. A thread of its own.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "io/event_loop.h"
#include "lab/wire_end.h"
#include "scenario/results.h"
#include "scenario/world.h"

namespace braid::lab {

class Carrier {
 public:
  /// `world` has its hosts outside; it belongs to the carrier's thread from begin() to end(). `ends` are of
  /// its attachments, in their order. All outlive it.
  Carrier(const scenario::Scenario& scenario, scenario::World& world,
          std::vector<std::unique_ptr<WireEnd>>& ends);
  ~Carrier();

  /// Packets flow, and the scenario's time runs, from `begin` on (of io::read_clock()).
  void begin(Time begin);
  /// Nothing flows any more.
  void end();

  // ---- getters, after end()
  scenario::DelaySummary lateness() const;
  std::vector<scenario::Sample>& series() { return series_; }

 private:
  void run();
  void on_readable(size_t attachment);
  void advance();
  void sample();
  void note_lateness(Time due);
  Time scenario_now() const { return Time(loop_.now() - begin_); }

  const scenario::Scenario& scenario_;
  scenario::World& world_;
  std::vector<std::unique_ptr<WireEnd>>& ends_;
  io::EventLoop loop_;
  Time begin_{};
  std::thread thread_;
  std::vector<scenario::Sample> series_;
  Time sample_at_{};
  // How many packets came out so many steps late; the last: later than all.
  std::vector<uint32_t> late_;
  Duration latest_{0};
};

}  // namespace braid::lab
