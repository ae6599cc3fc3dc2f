// For tests: paths on a virtual clock, with delay, rate, loss, reordering, duplication and cuts. Segments
// cross them as real packets, built and parsed, cut like a device would cut them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

#include "base/random.h"
#include "base/time.h"
#include "mptcp/testing/describe.h"
#include "wire/packet.h"

namespace braid::mptcp::testing {

struct PathOptions {
  Duration delay = 10ms;               // one way
  uint64_t rate_bytes_per_second = 0;  // 0: no limit
  uint64_t queue_bytes = 256u << 10;
  double loss = 0, duplicate = 0, reorder = 0;
  Duration reorder_delay = 5ms;
  uint32_t mtu = 1500;
  uint16_t split_bytes = 0;  // a box that cuts payloads to this, options copied; 0: none
};

enum class Direction : uint8_t { kToServer, kToClient };

class TestNetwork {
 public:
  /// May change the packet, or drop it (false). Called for every piece on the wire.
  using Middlebox = std::function<bool(size_t path, Direction direction, wire::OutgoingSegment& piece)>;

  struct Path {
    PathOptions options;
    bool is_cut = false;
    Time busy_until[2] = {};
    uint64_t packets[2] = {}, bytes[2] = {};
  };

  TestNetwork(uint64_t seed, std::vector<PathOptions> options) : random_(seed) {
    for (const PathOptions& option : options) paths.push_back(Path{option});
  }

  std::vector<Path> paths;
  std::vector<Middlebox> middleboxes;

  void send(size_t path, Direction direction, const wire::OutgoingSegment& segment, Time now) {
    wire::cut_super_segment(segment, [&](const wire::OutgoingSegment& cut) {
      wire::OutgoingSegment piece = cut;
      for (const Middlebox& middlebox : middleboxes) {
        if (!middlebox(path, direction, piece)) return;
      }
      if (const uint16_t size = paths[path].options.split_bytes; size > 0) {
        piece.mss = size;
        wire::cut_super_segment(piece, [&](const auto& part) { carry(path, direction, part, now); });
        return;
      }
      carry(path, direction, piece, now);
    });
  }

  Time next_arrival() const { return arrivals_.empty() ? kNever : arrivals_.top().at; }
  size_t in_flight() const { return arrivals_.size(); }
  /// Calls take(direction, packet) for the first packet due at `now`, if there is one.
  template <class Take>
  bool deliver_one(Time now, Take&& take) {
    if (arrivals_.empty() || arrivals_.top().at > now) return false;
    const Arrival arrival = arrivals_.top();
    arrivals_.pop();
    if (!paths[arrival.path].is_cut) take(arrival.direction, arrival.packet);
    return true;
  }
  /// A packet from nowhere: an attacker's, or one that a test made up.
  void inject(size_t path, Direction direction, const wire::OutgoingSegment& segment, Time now) {
    carry(path, direction, segment, now);
  }

 private:
  struct Arrival {
    Time at;
    uint64_t order = 0;
    size_t path = 0;
    Direction direction = Direction::kToServer;
    wire::ReceivedPacket packet;
    bool operator<(const Arrival& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };

  void carry(size_t index, Direction direction, const wire::OutgoingSegment& piece, Time now) {
    Path& path = paths[index];
    const auto way = static_cast<size_t>(direction);
    wire::OutgoingPacket packet;
    wire::build_packet(piece, wire::OffloadSupport::kNone, 0, packet);
    BRAID_CHECK(packet.size() <= path.options.mtu);
    ++path.packets[way];
    path.bytes[way] += packet.size();
    const bool is_lost = path.is_cut || random_.unit() < path.options.loss;
    if (is_tracing())
      fmt::print("{:.6f} path {} {}{}\n", std::chrono::duration<double>(now.time_since_epoch()).count(),
                 index, describe(piece), is_lost ? " LOST" : "");
    if (is_lost) return;
    Time at = now + path.options.delay;
    if (const uint64_t rate = path.options.rate_bytes_per_second; rate > 0) {
      Time& busy = path.busy_until[way];
      busy = std::max(busy, now);
      const auto waiting = std::chrono::duration<double>(busy - now).count() * static_cast<double>(rate);
      if (waiting + static_cast<double>(packet.size()) > static_cast<double>(path.options.queue_bytes))
        return;
      busy += Duration(
          static_cast<int64_t>(1e9 * static_cast<double>(packet.size()) / static_cast<double>(rate)));
      at = busy + path.options.delay;
    }
    if (random_.unit() < path.options.reorder) at += path.options.reorder_delay;
    const int copies = random_.unit() < path.options.duplicate ? 2 : 1;
    for (int i = 0; i < copies; ++i)
      arrivals_.push({at, order_++, index, direction, wire::flatten(packet, pool_)});
  }

  ChunkPool pool_;
  SeededRandom random_;
  std::priority_queue<Arrival> arrivals_;
  uint64_t order_ = 0;
};

}  // namespace braid::mptcp::testing
