// Tokens of this host's connections (RFC 8684, 3.2): an MP_JOIN SYN finds its connection here and nowhere
// else.
#pragma once

#include "base/flat_map.h"
#include "base/random.h"
#include "mptcp/connection.h"
#include "mptcp/keys.h"

namespace braid::host {

class TokenTable {
 public:
  explicit TokenTable(RandomSource& random) : pool_(random), connections_(Hash{random.next64()}) {}

  /// A key with a token that no other connection has.
  mptcp::KeyMaterial register_key(mptcp::Connection& connection, mptcp::Version version) {
    // Token 0 is left out: many a counter-part takes it for "none".
    for (;;) {
      mptcp::KeyMaterial material = pool_.take();
      if (version != mptcp::Version::kV1) material = mptcp::derive(material.key, version);
      if (insert(material, connection)) return material;
    }
  }
  /// A key that was given away before: false if another connection has its token.
  bool insert(const mptcp::KeyMaterial& given, mptcp::Connection& connection) {
    return given.token != 0 && connections_.insert(given.token, &connection);
  }
  void release(mptcp::Token token) { connections_.erase(token); }
  mptcp::Connection* find(mptcp::Token token) const {
    mptcp::Connection* const* found = connections_.find(token);
    return found == nullptr ? nullptr : *found;
  }
  /// Makes keys ahead of need: a hash each, off the path of the SYNs to come (NSDI 2012, 5.2).
  void refill() { pool_.refill(); }

 private:
  struct Hash {
    uint64_t seed = 0;
    // Tokens are bits of SHA-256 of our own random keys: only the mapping to slots wants hiding.
    uint64_t operator()(mptcp::Token token) const {
      const uint64_t z = (token ^ seed) * 0x9e3779b97f4a7c15;
      return z ^ (z >> 32);
    }
  };
  mptcp::KeyPool pool_;
  FlatMap<mptcp::Token, mptcp::Connection*, Hash> connections_;
};

}  // namespace braid::host
