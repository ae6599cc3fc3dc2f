// One direction of an access link: a rate, a delay, a drop-tail queue, and faults.
#pragma once

#include <cstdint>

#include "base/random.h"
#include "base/time.h"
#include "wire/packet.h"

namespace braid::test {

struct LinkConfig {
  uint64_t bits_per_second = 0;  // 0: infinite
  Duration delay{0};
  uint64_t queue_bytes = 256u << 10;
  // Probabilities, per packet.
  double loss = 0;
  double duplication = 0;
  double corruption = 0;  // one bit flips
  double reordering = 0;  // comes late, by up to reordering_delay
  Duration reordering_delay = 5ms;

  bool is_perfect() const {
    return bits_per_second == 0 && delay == Duration(0) && loss == 0 && duplication == 0 && corruption == 0 &&
           reordering == 0;
  }
};

class Link {
 public:
  struct Totals {
    uint64_t packets = 0, bytes = 0;  // delivered
    uint64_t lost = 0, overflowed = 0, duplicated = 0, corrupted = 0, reordered = 0, cut = 0;
  };

  explicit Link(uint64_t seed) : random_(seed) {}

  // ---- commands
  void set(const LinkConfig& config) { config_ = config; }
  /// A cut link drops all, what is under way too, and tells nobody.
  void cut() { is_cut_ = true; }
  void restore() { is_cut_ = false; }

  // ---- getters
  const LinkConfig& config() const { return config_; }
  bool is_cut() const { return is_cut_; }
  const Totals& totals() const { return totals_; }

  /// Calls `deliver(packet, time)` for what comes out at the other end, and when.
  template <class Deliver>
  void send(wire::ReceivedPacket packet, Time now, ChunkPool& pool, Deliver&& deliver) {
    if (is_cut_) {
      ++totals_.cut;
      return;
    }
    const size_t size = packet.bytes.size();
    Time departure = now;
    if (config_.bits_per_second != 0) {
      const Time start = busy_until_ > now ? busy_until_ : now;
      if ((start - now).count() * static_cast<double>(config_.bits_per_second) / 8e9 >
          static_cast<double>(config_.queue_bytes)) {
        ++totals_.overflowed;
        return;
      }
      departure = start + Duration(static_cast<int64_t>(static_cast<double>(size) * 8e9 /
                                                        static_cast<double>(config_.bits_per_second)));
      busy_until_ = departure;
    }
    if (happens(config_.loss)) {
      ++totals_.lost;
      return;
    }
    if (happens(config_.corruption)) {
      ++totals_.corrupted;
      packet.bytes = copy_to_slice(pool, packet.bytes.bytes());
      const uint64_t bit = random_.below(size * 8);
      packet.bytes.chunk()->data()[bit / 8] ^= static_cast<std::byte>(1 << (bit % 8));
      packet.checksum = wire::ChecksumState::kUnverified;
    }
    Time arrival = departure + config_.delay;
    if (happens(config_.reordering)) {
      ++totals_.reordered;
      arrival += Duration(
          static_cast<int64_t>(random_.below(static_cast<uint64_t>(config_.reordering_delay.count()))));
    }
    ++totals_.packets;
    totals_.bytes += size;
    if (happens(config_.duplication)) {
      ++totals_.duplicated;
      deliver(packet, arrival + 100us);
    }
    deliver(std::move(packet), arrival);
  }

 private:
  bool happens(double probability) { return probability > 0 && random_.unit() < probability; }

  LinkConfig config_;
  SeededRandom random_;
  Time busy_until_{};
  bool is_cut_ = false;
  Totals totals_;
};

}  // namespace braid::test
