// Initial sequence numbers (RFC 6528) and timestamp offsets (RFC 7323, 5.4): per tuple, unpredictable from
// outside, and growing over the life of a tuple.
#pragma once

#include "base/sequence.h"
#include "base/siphash.h"
#include "base/time.h"
#include "wire/address.h"

namespace braid::host {

class SequenceSource {
 public:
  explicit SequenceSource(RandomSource& random)
      : initial_key_(SipHash::random_key(random)), timestamp_key_(SipHash::random_key(random)) {}

  /// A clock of 4 us plus a keyed hash of the tuple.
  Seq32 initial_sequence(const wire::FourTuple& tuple, Time now) const {
    const auto ticks = static_cast<uint32_t>(now.time_since_epoch() / 4us);
    return Seq32(ticks + static_cast<uint32_t>(hash(initial_key_, tuple)));
  }
  uint32_t timestamp_offset(const wire::FourTuple& tuple) const {
    return static_cast<uint32_t>(hash(timestamp_key_, tuple));
  }

 private:
  static uint64_t hash(const SipHash::Key& key, const wire::FourTuple& tuple) {
    SipHash sip(key);
    sip.add(tuple.local.address.bytes());
    sip.add(tuple.remote.address.bytes());
    sip.add16(tuple.local.port);
    sip.add16(tuple.remote.port);
    return sip.finish();
  }
  SipHash::Key initial_key_, timestamp_key_;
};

}  // namespace braid::host
