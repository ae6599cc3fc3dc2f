#include <algorithm>
#include <memory>

#include "base/check.h"
#include "middleboxes/matrix.h"
#include "sim/middlebox/registry.h"
#include "sim/testing/two_hosts.h"

namespace braid::middleboxes {

namespace {

using sim::Direction;
using sim::testing::BulkEnd;
using sim::testing::TwoHosts;

constexpr uint64_t kUp = 3'000'000, kDown = 1'000'000;
constexpr uint64_t kBoxComesAt = kUp / 4, kSecondHalf = kUp / 2;
/// Over a path in the second half, for it to be in use: more than probes and a last window.
constexpr uint64_t kInUse = 100'000;
constexpr Duration kLimit = 400s;

sim::LinkConfig link() {
  sim::LinkConfig config;
  config.bits_per_second = 4'000'000;  // slow enough for a join whose SYN was lost
  config.delay = 5ms;
  config.queue.limit_bytes = 60'000;
  return config;
}

const std::string* text_option(const Row& row, std::string_view name) {
  for (const auto& [key, value] : row.options) {
    if (key == name) return std::get_if<std::string>(&value);
  }
  return nullptr;
}

/// One transfer.
class Run {
 public:
  Run(const Row& row, Place place, wire::Family family, bool is_multipath)
      : row_(row),
        place_(place),
        hosts_(std::vector<sim::LinkConfig>(has_two_paths(place) ? 2 : 1, link()), config(row, is_multipath),
               1, family) {
    // Hosts send 1500 octets at most; what a box makes longer may go on.
    for (const auto& path : hosts_.network.links()) {
      sim::LinkConfig roomy = link();
      roomy.mtu = 9000;
      for (const Direction direction : {Direction::kForward, Direction::kBackward})
        path->configure(direction, roomy, hosts_.network.now());
    }
  }

  Outcome go() {
    const bool is_later =
        place_ == Place::kOnePathLater || place_ == Place::kFirstLater || place_ == Place::kSecondLater;
    if (!is_later) add_boxes();
    hosts_.start(kUp, kDown);
    hosts_.client_end->record = &down_;
    hosts_.server_end->record = &up_;
    if (is_later) {
      run_to(kBoxComesAt);
      add_boxes();
    }
    run_to(kSecondHalf);
    const std::vector<uint64_t> before = carried();
    const bool is_over = hosts_.network.run_until([&] { return has_ended(); }, kLimit);
    Outcome outcome = look();
    outcome.delivery = delivery(is_over);
    const std::vector<uint64_t> after = carried();
    for (size_t i = 0; i < before.size(); ++i) outcome.paths_in_use += after[i] - before[i] >= kInUse ? 1 : 0;
    return outcome;
  }

 private:
  static host::HostConfig config(const Row& row, bool is_multipath) {
    host::HostConfig made;
    made.connection.is_multipath = is_multipath;
    made.connection.require_checksum = row.has_checksum;
    return made;
  }
  void add_boxes() {
    if (place_ != Place::kSecond && place_ != Place::kSecondLater) add_box(0);
    if (place_ == Place::kSecond || place_ == Place::kSecondLater || place_ == Place::kBoth) add_box(1);
  }
  void add_box(size_t path) {
    sim::MiddleboxOptions options = row_.options;
    if (row_.box == "nat") {
      const std::string last = std::to_string(path + 9);
      options.emplace_back("outside", "203.0.113." + last);
      options.emplace_back("outside6", "2001:db8:ffff::" + last);
    }
    auto box = sim::make_middlebox(row_.box, options, 7 + path);
    BRAID_CHECK(box.has_value());
    hosts_.path(path).add_middlebox(std::move(*box));
  }
  void run_to(uint64_t received) {
    hosts_.network.run_until([&] { return has_ended() || hosts_.server_end->received >= received; }, kLimit);
  }
  bool has_failed() const { return hosts_.client_end->has_failed || hosts_.server_end->has_failed; }
  bool has_ended() const {
    return has_failed() || (hosts_.client_end->is_done && hosts_.server_end->is_done);
  }
  /// Towards the server, over each path.
  std::vector<uint64_t> carried() const {
    std::vector<uint64_t> bytes;
    for (const auto& path : hosts_.network.links())
      bytes.push_back(path->channel(Direction::kForward).totals(hosts_.network.now()).delivered_bytes);
    return bytes;
  }
  Outcome look() const {
    const mptcp::ConnectionInfo& client = hosts_.client_end->last_info;
    Outcome outcome;
    outcome.is_multipath = client.multipath == mptcp::MultipathState::kEstablished;
    outcome.client = client.fallback;
    outcome.server = hosts_.server_end->last_info.fallback;
    return outcome;
  }
  Outcome::Delivery delivery(bool is_over) const {
    if (has_failed()) return Outcome::Delivery::kError;
    if (!is_over) return Outcome::Delivery::kStuck;
    const Outcome::Delivery up = compare(up_, 1, kUp), down = compare(down_, 2, kDown);
    return std::max(up, down);
  }
  Outcome::Delivery compare(const std::vector<std::byte>& got, uint64_t seed, uint64_t size) const {
    std::vector<std::byte> sent(size);
    sim::Pattern(seed).fill(0, sent);
    if (got == sent) return Outcome::Delivery::kExact;
    const std::string* const find = text_option(row_, "find");
    const std::string* const replace = text_option(row_, "replace");
    if (find == nullptr || replace == nullptr) return Outcome::Delivery::kWrong;
    // Each place where they differ must be one that the box replaced.
    const auto pattern = std::as_bytes(std::span(*find)), other = std::as_bytes(std::span(*replace));
    std::vector<std::byte> expected;
    for (auto rest = sent.cbegin();;) {
      const auto place = std::search(rest, sent.cend(), pattern.begin(), pattern.end());
      expected.insert(expected.end(), rest, place);
      if (place == sent.cend()) break;
      const auto there = std::span(got).subspan(std::min(expected.size(), got.size()));
      const bool is_replaced =
          there.size() >= other.size() && std::ranges::equal(there.first(other.size()), other);
      const auto chosen = is_replaced ? other : pattern;
      expected.insert(expected.end(), chosen.begin(), chosen.end());
      rest = place + static_cast<std::ptrdiff_t>(pattern.size());
    }
    return got == expected ? Outcome::Delivery::kRewritten : Outcome::Delivery::kWrong;
  }

  const Row& row_;
  Place place_;
  TwoHosts hosts_;
  std::vector<std::byte> up_, down_;
};

}  // namespace

Outcome run(const Row& row, Place place, wire::Family family, bool is_multipath) {
  return Run(row, place, family, is_multipath).go();
}

}  // namespace braid::middleboxes
