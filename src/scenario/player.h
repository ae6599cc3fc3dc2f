// What one end of a workload's connection does above its byte stream: the same in the simulator and over
// sockets. All bytes are a pattern, checked where they arrive. Times count from the scenario's begin.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "scenario/scenario.h"
#include "sim/pattern.h"

namespace braid::scenario {

double draw(const Distribution& distribution, RandomSource& random);

/// An established connection, as an application sees it. Nothing waits.
class Stream {
 public:
  virtual ~Stream() = default;
  /// How many octets were taken: fewer than there are when there is no room.
  virtual size_t send(std::span<const std::byte> bytes) = 0;
  /// How many octets came; 0: none now.
  virtual size_t receive(std::span<std::byte> out) = 0;
  virtual void shut_down_send() = 0;
  /// The peer's last octet was read.
  virtual bool is_end_of_stream() const = 0;
};

class Player {
 public:
  enum class Role : uint8_t { kClient, kServer };
  /// Both ends of a connection have the same `seed`: what the server answers is drawn where it stands.
  Player(const WorkloadSpec& spec, Role role, uint64_t seed);

  // ---- commands
  /// The client has something to do from now on.
  void start(Time now);
  /// Makes what time makes: the next block, request, or piece of an on-period.
  void advance(Time now);
  Time next_due() const { return due_; }
  /// Reads and writes what can be.
  void pump(Stream& stream, Time now);

  // ---- getters
  /// This end knows that the workload has reached its end.
  bool is_over() const { return is_over_; }
  bool is_intact() const { return is_intact_; }
  /// It has something to send, as soon as there is room.
  bool has_unsent() const { return sent_ < allowed_; }
  uint64_t received_bytes() const { return received_; }
  Time last_byte() const { return last_byte_; }
  /// The longest time in which nothing came, between octets that did.
  Duration longest_gap() const { return longest_gap_; }
  /// Seconds: of blocks from their making to their last octet (at the server), of requests from asking to the
  /// whole answer (at the client), of a trace's flow from its time to its last octet (at the server).
  const std::vector<double>& delays() const { return delays_; }

 private:
  void write(Stream& stream);
  bool read(Stream& stream, Time now);
  void on_received(Time now);
  void on_blocks(Time now);
  void on_requests();
  void on_answer(Time now);
  void make_on_off(Time now);
  void ask(Time now);
  void draw_exchange();

  WorkloadSpec spec_;
  Role role_;
  SeededRandom random_;
  sim::Pattern outgoing_, incoming_;
  std::vector<std::byte> buffer_;
  uint64_t allowed_ = 0;  // octets made so far, to be sent
  uint64_t sent_ = 0, received_ = 0;
  bool is_intact_ = true, is_ended_ = false, is_over_ = false;
  Time due_ = kNever;
  bool has_received_ = false;
  Time last_byte_{};
  Duration longest_gap_{0};
  std::vector<double> delays_;
  uint64_t blocks_received_ = 0;
  // kRequests: stream positions where the exchange under way ends, at both ends the same
  uint64_t exchanges_ = 0, request_end_ = 0, response_end_ = 0;
  Duration think_{0};
  Time asked_at_{};
  bool is_waiting_ = false;  // for an answer
  Time phase_end_{};         // kOnOff
  bool is_on_ = false;
};

}  // namespace braid::scenario
