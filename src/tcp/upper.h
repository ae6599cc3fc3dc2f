// What a subflow calls: the abstract owner of its data. mptcp::Connection is one; tests have simple ones.
// tcp knows nothing of MPTCP: options that are not TCP's own pass through here untouched.
#pragma once

#include <boost/container/static_vector.hpp>
#include <cstdint>

#include "base/chunk.h"
#include "base/sequence.h"
#include "base/time.h"
#include "wire/tcp_segment.h"

namespace braid::tcp {

class Subflow;

/// Which segment options are wanted for.
enum class SegmentKind : uint8_t { kSyn, kSynAck, kAck, kData, kRst };

struct SegmentContext {
  SegmentKind kind = SegmentKind::kAck;
  /// First octet of payload; for a segment without payload, snd_nxt.
  StreamOffset offset;
  uint32_t payload_bytes = 0;
  bool has_fin = false;
  uint32_t attempt = 0;  // how often this SYN or SYN/ACK went out before
};

/// What the upper thinks of a segment, before TCP acts on its ACK, payload or FIN.
enum class SegmentVerdict : uint8_t {
  kAccept,
  kDrop,   // ignore it (say, no data before the third ACK's MP_JOIN)
  kReset,  // the subflow must go: it sends RST and closes
};

/// A payload fetched for (re)transmission.
struct SegmentPayload {
  boost::container::static_vector<Slice, 16> slices;
  uint32_t bytes = 0;
  bool should_push = false;  // nothing follows it for now
};

/// What becomes of text on the SYN of a passive open.
enum class SynText : uint8_t {
  kIgnore,  // the peer sends it again
  kTake,  // its cookie is good (RFC 7413, 4.2.2): delivered at once, and answers may go before the third ACK
};

enum class CloseReason : uint8_t {
  kNone,
  kFinished,     // both FINs exchanged (TIME-WAIT may remain)
  kAborted,      // we reset it
  kPeerReset,    // RST came
  kRefused,      // RST to our SYN
  kTimedOut,     // retransmissions, keepalive or user timeout exhausted
  kUnreachable,  // ICMP said so while connecting
};

/// Owned by whoever owns the subflow, outlives it. All calls come from within the subflow's own methods, in
/// the owner's thread. An upper must not destroy the subflow inside a call: it notes it and does so
/// afterwards.
class Upper {
 public:
  virtual ~Upper() = default;

  // ---- sending
  /// How many more octets of new data the subflow may have, at most `max_bytes`: the scheduler's grant. They
  /// extend the subflow's stream at its end, one grant being one DataMap; 0: nothing for this subflow now.
  /// Grants may be remembered and sent later (window, Nagle is the upper's).
  virtual uint32_t poll_data(Subflow& subflow, uint32_t max_bytes, Time now) = 0;
  /// Text for the first SYN of an active open (RFC 7413, 4.2.1): as poll_data(), before the peer's window is
  /// known, and after add_options(); `option_bytes` are that SYN's options, which count against the peer's
  /// MSS. What the SYN/ACK does not acknowledge is sent as if it had never been.
  virtual uint32_t poll_syn_data(Subflow& /*subflow*/, uint32_t /*max_bytes*/, uint32_t /*option_bytes*/,
                                 Time /*now*/) {
    return 0;
  }
  /// The payload at [offset, offset + max_bytes), cut at the end of the DataMap that holds `offset`; at least
  /// one octet.
  virtual void fetch_payload(Subflow& subflow, StreamOffset offset, uint32_t max_bytes,
                             SegmentPayload& payload) = 0;
  /// Whether this subflow would be asked to carry more if its window were open: while it is shut and nothing
  /// is in flight, the subflow then probes it (RFC 9293, 3.8.6.1). "Yes" costs a probe a minute at worst.
  virtual bool has_pending_data(const Subflow& /*subflow*/) const { return true; }
  /// Adds options (MPTCP's), `space` octets at most, padding included. Called once per segment sent,
  /// retransmissions too, before SACK blocks take what is left; MSS, window scale, SACK-permitted and
  /// timestamps are already in.
  virtual void add_options(Subflow& subflow, const SegmentContext& context, wire::TcpOptions& options,
                           size_t space, Time now) = 0;
  /// snd_una moved: maps below it are done with, as far as this subflow goes.
  virtual void on_acked(Subflow& subflow, StreamOffset snd_una, Time now) = 0;
  /// First or later retransmission timeout in a row (count >= 1): what it holds may go elsewhere.
  virtual void on_retransmission_timeout(Subflow& subflow, uint32_t count, Time now) = 0;
  /// First progress after on_retransmission_timeout: the path is back.
  virtual void on_path_recovered(Subflow& subflow, Time now) = 0;

  // ---- receiving
  /// Every acceptable segment (in window, RST and PAWS checks passed), before its ACK, payload and FIN are
  /// processed. `window_bytes` is its window field, scaled. An acceptable RST is shown too, for its options,
  /// just before it closes the subflow; the verdict does not matter then.
  virtual SegmentVerdict on_segment(Subflow& subflow, const wire::TcpSegment& segment, uint64_t window_bytes,
                                    Time now) = 0;
  /// Payload in subflow order, each octet exactly once; first octet at `offset`.
  virtual void on_data(Subflow& subflow, StreamOffset offset, Slice payload, Time now) = 0;
  /// The peer's FIN, in order: no more on_data.
  virtual void on_fin(Subflow& subflow, Time now) = 0;
  /// The window to advertise, in octets from now's ACK (or DATA_ACK: they share the field). The upper never
  /// moves its right edge back. The subflow scales it, rounding up.
  virtual uint64_t receive_window(const Subflow& subflow) const = 0;
  /// The same as the peer knows it already, be it from other subflows: it may use that on this one, which has
  /// not said so itself (RFC 8684, 3.3.4: acceptable is what is in the connection's window). 0: every subflow
  /// speaks for itself.
  virtual uint64_t shared_window(const Subflow& subflow) const = 0;

  // ---- state
  /// The three-way handshake is done, either role.
  virtual void on_established(Subflow& subflow, Time now) = 0;
  /// The subflow is finished, for the reason given: CLOSED or TIME-WAIT. Called once, also from abort() and
  /// drop(). A RST or the last ACK still goes with the next poll_transmit: ask for it before the subflow is
  /// destroyed.
  virtual void on_closed(Subflow& subflow, CloseReason reason, Time now) = 0;
};

/// Where a subflow puts the segments it sends.
class SegmentSink {
 public:
  virtual ~SegmentSink() = default;
  /// The segment may be moved from.
  virtual void send(wire::OutgoingSegment& segment) = 0;
};

}  // namespace braid::tcp
