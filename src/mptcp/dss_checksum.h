// The checksum of a DSS mapping (RFC 8684, 3.3.1): over the payload and a pseudo header of the 64-bit data
// sequence number, the relative subflow sequence number, the length (DATA_FIN included) and zero.
#pragma once

#include <cstdint>

#include "wire/checksum.h"

namespace braid::mptcp {

/// `payload` is the sum of the mapping's octets; the result is what goes in the option.
inline uint16_t dss_checksum(const wire::InternetChecksum& payload, uint64_t data_seq, uint32_t subflow_seq,
                             uint16_t data_length) {
  wire::InternetChecksum sum;
  sum.add64(data_seq);
  sum.add32(subflow_seq);
  sum.add16(data_length);
  sum.add16(0);
  sum.append(payload);
  return sum.checksum();
}

/// 0 and 0xffff are the same number to ones' complement arithmetic.
inline bool is_dss_checksum_right(const wire::InternetChecksum& payload, uint64_t data_seq,
                                  uint32_t subflow_seq, uint16_t data_length, uint16_t received) {
  const uint16_t wanted = dss_checksum(payload, data_seq, subflow_seq, data_length);
  return wanted == received || (wanted % 0xffff == 0 && received % 0xffff == 0);
}

}  // namespace braid::mptcp
