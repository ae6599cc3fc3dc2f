// The other end, as the script plays it: addresses, sequence numbers and keys of each path. Turns what the
// script writes into packets, and what the engine sends into what the script would have written.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "segments/language/octets.h"
#include "segments/language/secrets.h"
#include "segments/language/segment_text.h"
#include "wire/address.h"

namespace braid::segments {

/// A part of a subflow's stream that a DSS gave a place in the data; length 0: no end.
struct Mapping {
  uint64_t data = 0;    // relative to the IDSN
  uint32_t stream = 0;  // relative to the subflow's initial sequence number
  uint32_t length = 0;  // without the DATA_FIN
};

/// One subflow. "We" are the engine's host, "the peer" is the script.
struct Path {
  std::string name;
  wire::Endpoint ours, peers;
  uint16_t service_port = 80;  // the port that was connected to
  uint32_t peer_isn = 0;
  std::optional<uint32_t> our_isn;
  int64_t peer_end = 0, our_end = 0;  // relative: one past the last octet sent
  uint32_t peer_nonce = 0, our_nonce = 0;
  uint32_t window = 65535;
  std::optional<uint32_t> our_first_timestamp;
  uint32_t our_last_timestamp = 0;
  // Octets of a SYN that the SYN/ACK acknowledged: no mapping counts them (RFC 8684, B.2).
  uint32_t our_syn_text = 0, peer_syn_text = 0;
  std::vector<Mapping> our_mappings;
  std::optional<Mapping> peer_mapping;
};

struct PeerConfig {
  wire::Family family = wire::Family::kV4;
  std::optional<uint32_t> isn;  // of the first path
  uint64_t key = 0x0706050403020100;
};

class Peer {
 public:
  explicit Peer(const PeerConfig& config);

  // ---- commands
  /// The packet for a segment of the script's on that path. A SYN on a path that is not known opens it.
  Octets build(const std::string& path, const SegmentText& segment);
  /// An ICMP error about the segment of ours at `seq` (relative). `kind` as in docs/segment-tests.md.
  Octets build_icmp(const std::string& path, const std::string& kind, uint32_t mtu, int64_t seq);
  struct Arrival {
    std::string path;
    SegmentText segment;
    std::string complaint;  // about its payload or checksums; empty: none
  };
  /// A packet that the engine sent.
  Arrival read(const Octets& packet);
  /// The path's addresses and ports begin anew, with another initial sequence number.
  void reopen(const std::string& path, uint32_t isn);

  // ---- getters
  wire::IpAddress our_address(int number) const;
  wire::IpAddress peer_address(int number) const;
  const Path* find(const std::string& name) const;
  std::string name_of(const wire::FourTuple& tuple) const;  ///< "?" if no path has it

 private:
  friend class OptionCodec;
  Path& path_for_syn(const std::string& name, uint16_t service_port);
  Path& known(const std::string& name);
  Path& path_of_packet(const wire::Endpoint& from, const wire::Endpoint& to);
  uint64_t stream_position(const Path& path, const SegmentText& segment, uint32_t seq) const;
  std::string check_payload(const Path& path, const SegmentText& segment, const Octets& payload) const;
  Octets wrap(const wire::IpAddress& from, const wire::IpAddress& to, uint8_t protocol, Octets body) const;
  Octets icmp_header(const std::string& kind, uint32_t mtu) const;

  PeerConfig config_;
  int version_ = 1;
  Secret peer_;
  std::optional<Secret> our_;
  Octets cookie_;  // the latest that the engine gave (RFC 7413)
  std::map<std::string, Path> paths_;
};

}  // namespace braid::segments
