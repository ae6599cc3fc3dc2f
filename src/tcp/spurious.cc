#include "tcp/spurious.h"

#include <algorithm>

namespace braid::tcp {

void SpuriousDetector::on_recovery() {
  cancel();
  is_armed_ = true;
}

void SpuriousDetector::on_timeout() {
  cancel();
  is_armed_ = true;
  frto_ = Frto::kFirstAck;
}

void SpuriousDetector::cancel() {
  frto_ = Frto::kOff;
  is_armed_ = false;
  first_retransmission_ = kNever;
  unrefuted_bytes_ = 0;
  new_bytes_ = 0;
}

void SpuriousDetector::on_retransmitted(uint64_t bytes, Time now) {
  if (!is_armed_) return;
  first_retransmission_ = earlier(first_retransmission_, now);
  unrefuted_bytes_ += bytes;
}

bool SpuriousDetector::on_ack(const SpuriousEvidence& evidence) {
  if (!is_armed_) return false;
  bool is_spurious = false;
  if (evidence.dsacked_bytes > 0 && unrefuted_bytes_ > 0) {
    unrefuted_bytes_ -= std::min(unrefuted_bytes_, evidence.dsacked_bytes);
    is_spurious = unrefuted_bytes_ == 0;
  }
  if (evidence.echoed && evidence.covers_retransmission) {
    // The first ACK of repeated data settles it (RFC 3522, 3.2).
    is_spurious |= *evidence.echoed < first_retransmission_;
    first_retransmission_ = Time::min();
    frto_ = Frto::kOff;
  }
  is_spurious |= step_frto(evidence);
  if (is_spurious) cancel();
  return is_spurious;
}

// RFC 5682, 3.1 (the variant for SACK, which is the basic one where there is none).
bool SpuriousDetector::step_frto(const SpuriousEvidence& evidence) {
  if (frto_ == Frto::kOff || (!evidence.did_advance && !evidence.is_duplicate)) return false;
  if (frto_ == Frto::kFirstAck) {
    const bool goes_on = evidence.did_advance && !evidence.covers_recovery_point && evidence.can_send_new;
    frto_ = goes_on ? Frto::kSecondAck : Frto::kOff;
    new_bytes_ = 0;
    return false;
  }
  frto_ = Frto::kOff;
  return evidence.has_original;
}

void SpuriousDetector::on_nothing_new() {
  if (frto_ == Frto::kSecondAck && new_bytes_ == 0) frto_ = Frto::kOff;
}

}  // namespace braid::tcp
