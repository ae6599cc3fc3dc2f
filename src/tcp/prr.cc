#include "tcp/prr.h"

#include <algorithm>

namespace braid::tcp {

void Prr::enter(uint64_t recover_flight_bytes) {
  recover_flight_bytes_ = std::max<uint64_t>(recover_flight_bytes, 1);
  delivered_bytes_ = out_bytes_ = cwnd_bytes_ = 0;
}

void Prr::on_ack(uint64_t delivered_bytes, uint64_t in_flight_bytes, uint64_t ssthresh_bytes,
                 uint32_t mss_bytes, bool is_safe) {
  __extension__ using Wide = unsigned __int128;
  delivered_bytes_ += delivered_bytes;
  uint64_t send = 0;
  if (in_flight_bytes > ssthresh_bytes) {
    const Wide share = (static_cast<Wide>(delivered_bytes_) * ssthresh_bytes + recover_flight_bytes_ - 1) /
                       recover_flight_bytes_;
    const auto target = static_cast<uint64_t>(std::min<Wide>(share, UINT64_MAX));
    send = target > out_bytes_ ? target - out_bytes_ : 0;
  } else {
    // Slow start back up to ssthresh, or where losses go on, one for one (PRR-SSRB, PRR-CRB).
    send = std::max(delivered_bytes_ > out_bytes_ ? delivered_bytes_ - out_bytes_ : 0, delivered_bytes);
    if (is_safe) send += mss_bytes;
    send = std::min(send, ssthresh_bytes - in_flight_bytes);
  }
  // The first retransmission goes out at once.
  if (out_bytes_ == 0) send = std::max<uint64_t>(send, mss_bytes);
  cwnd_bytes_ = in_flight_bytes + send;
}

}  // namespace braid::tcp
