// TCP options between octets and the script's notation.
#pragma once

#include "segments/language/octets.h"
#include "segments/language/peer.h"

namespace braid::segments {

enum class Sender : uint8_t { kPeer, kEngine };  // kPeer: the script

/// For one segment on one path. Learns keys, nonces
/// and mappings as it goes.
class OptionCodec {
 public:
  OptionCodec(Peer& peer, Path& path, const SegmentText& segment, Sender from)
      : peer_(peer), path_(path), segment_(segment), is_from_peer_(from == Sender::kPeer) {}

  /// The octets of one option, without padding. ScriptError for what can't be written.
  Octets encode(const OptionText& option);
  /// All options of a header.
  std::vector<OptionText> decode(const Octets& options);

 private:
  Octets encode_mptcp(const OptionText& option);
  void encode_capable(const OptionText& option, Octets& out);
  void encode_join(const OptionText& option, Octets& out);
  void encode_dss(const OptionText& option, Octets& out);
  void encode_add_addr(const OptionText& option, Octets& out);
  OptionText decode_one(const Octets& option);
  OptionText decode_mptcp(const Octets& option);
  OptionText decode_capable(const Octets& option);
  OptionText decode_join(const Octets& option);
  OptionText decode_dss(const Octets& option);
  OptionText decode_add_addr(const Octets& option);

  const Secret& sender() const;
  const Secret& receiver() const;
  const Secret& ours() const;
  uint64_t sender_idsn() const { return idsn_of(is_from_peer_ ? Sender::kPeer : Sender::kEngine); }
  uint64_t receiver_idsn() const { return idsn_of(is_from_peer_ ? Sender::kEngine : Sender::kPeer); }
  uint64_t idsn_of(Sender whose) const;
  uint64_t key_of(const std::string& name) const;
  std::string name_of_key(uint64_t key) const;
  void learn_our_key(uint64_t key, int version);
  Octets join_hmac() const;
  uint64_t add_addr_hmac(uint8_t id, const wire::IpAddress& address, uint16_t port) const;
  uint16_t dss_checksum(uint64_t dsn, uint32_t ssn, uint16_t length, bool has_fin) const;
  wire::IpAddress parse_address(const std::string& word) const;
  std::string name_of_address(const wire::IpAddress& address) const;
  bool is_syn() const { return segment_.has_flag('S'); }
  bool is_ack() const { return segment_.has_flag('.'); }

  Peer& peer_;
  Path& path_;
  const SegmentText& segment_;
  bool is_from_peer_;
};

}  // namespace braid::segments
