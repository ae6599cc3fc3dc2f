#include "wire/summary.h"

namespace braid::wire {
namespace {

TEST(Summary, SaysWhatACaptureShows) {
  TcpSegment segment;
  segment.tuple = {*Endpoint::parse("192.0.2.1:5000"), *Endpoint::parse("192.0.2.2:80")};
  segment.seq = Seq32(17);
  segment.ack = Seq32(4711);
  segment.flags.syn = segment.flags.ack = true;
  EXPECT_EQ(summary(segment), "SYN/ACK from 192.0.2.2:80, seq 17, ack 4711, 0 octets, no MPTCP option");
  segment.flags.syn = false;
  segment.options.mptcp.push_back(MpFail{});
  segment.options.mptcp.push_back(Dss{.data_ack = WideOrNarrow{}, .mapping = {}});
  EXPECT_EQ(summary(segment), "ACK from 192.0.2.2:80, seq 17, ack 4711, 0 octets, MP_FAIL, DSS (DATA_ACK)");
}

}  // namespace
}  // namespace braid::wire
