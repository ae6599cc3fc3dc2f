// Source NAT: kForward goes from the inside, with many addresses and ports, to the outside, where there is
// one address. What comes back is for whom it was meant, as long as the mapping lives (RFC 5382); so do ICMP
// errors about it, and those that the inside sends (RFC 5508).
#pragma once

#include <map>
#include <optional>

#include "base/random.h"
#include "sim/middlebox/icmp_packet.h"
#include "sim/middlebox/middlebox.h"
#include "sim/middlebox/tcp_packet.h"

namespace braid::sim {

class Nat final : public Middlebox {
 public:
  struct Config {
    std::optional<wire::IpAddress> outside_v4, outside_v6;  // unset: the inside's own addresses stay
    uint16_t first_port = 20000, last_port = 60000;
    /// RFC 5382, 5 asks for 2 h 4 min; home routers have minutes.
    Duration idle_timeout = 300s;
    Duration transitory_timeout = 240s;  // before the handshake is over, and after FIN or RST
    bool answers_unknown = false;        // a RST to what has no mapping, instead of silence
  };
  /// More than these, and the one that was not used for longest makes room.
  static constexpr size_t kMostMappings = 65536;
  Nat(const Config& config, uint64_t seed);
  std::string_view name() const override { return "nat"; }
  void on_packet(Direction direction, Packet packet, MiddleboxOutput& output, Time now) override;
  size_t mappings() const { return by_inside_.size(); }
  /// As after a restart of the box: all mappings are gone.
  void forget_all();

 private:
  struct Mapping {
    wire::FourTuple inside;  // local: the host; remote: the peer
    wire::Endpoint outside;  // what the peer sees
    Time used{};
    bool is_established = false, is_ending = false;
  };
  using Key = wire::FourTuple;
  Mapping* map_out(const TcpPacket& packet, Time now);
  Mapping* map_in(const TcpPacket& packet, Time now);
  bool is_stale(const Mapping& mapping, Time now) const;
  void note(Mapping& mapping, const TcpPacket& packet, Direction direction, Time now);
  void erase(const Key& inside);
  void make_room(Time now);
  void pass_error(Direction direction, IcmpPacket error, MiddleboxOutput& output, Time now);
  void refuse(const TcpPacket& packet, Direction direction, MiddleboxOutput& output);
  std::optional<uint16_t> choose_port(const wire::IpAddress& outside, const wire::Endpoint& peer, Time now);

  Config config_;
  SeededRandom random_;
  std::map<Key, Mapping> by_inside_;  // host, peer
  std::map<Key, Key> by_outside_;     // outside, peer -> inside key
};

}  // namespace braid::sim
