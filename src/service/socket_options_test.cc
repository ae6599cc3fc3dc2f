// What options mean to a connection that begins, and to one that is there (docs/path-managers.md has the
// table).
#include "service/socket_options.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <string>

namespace braid::service {
namespace {

class Options : public testing::Test {
 protected:
  int set(int level, int name, int value) {
    return options.set(level, name, std::as_bytes(std::span(&value, 1)));
  }
  mptcp::ConnectionConfig applied() const {
    mptcp::ConnectionConfig config;
    options.apply(config);
    return config;
  }
  SocketOptions options;
};

TEST_F(Options, OfTheConnectionAreInItsConfiguration) {
  ASSERT_EQ(set(IPPROTO_TCP, TCP_NODELAY, 1), 0);
  const std::string reno = "reno";
  ASSERT_EQ(options.set(IPPROTO_TCP, TCP_CONGESTION, std::as_bytes(std::span(reno))), 0);
  EXPECT_TRUE(applied().no_delay);
  EXPECT_EQ(applied().congestion_control, "reno");
}

TEST_F(Options, OfEverySubflowAreInWhatSubflowsBeginWith) {
  ASSERT_EQ(set(SOL_SOCKET, SO_KEEPALIVE, 1), 0);
  ASSERT_EQ(set(IPPROTO_TCP, TCP_KEEPIDLE, 11), 0);
  ASSERT_EQ(set(IPPROTO_TCP, TCP_KEEPINTVL, 3), 0);
  ASSERT_EQ(set(IPPROTO_TCP, TCP_KEEPCNT, 5), 0);
  ASSERT_EQ(set(IPPROTO_TCP, TCP_USER_TIMEOUT, 4000), 0);
  ASSERT_EQ(set(IPPROTO_TCP, TCP_SYNCNT, 2), 0);
  ASSERT_EQ(set(IPPROTO_IP, IP_TOS, 0x2b), 0);
  const tcp::SubflowConfig subflow = applied().subflow;
  EXPECT_EQ(subflow.keepalive_idle, Duration(11s));
  EXPECT_EQ(subflow.keepalive_interval, Duration(3s));
  EXPECT_EQ(subflow.keepalive_attempts, 5u);
  EXPECT_EQ(subflow.user_timeout, Duration(4s));
  EXPECT_EQ(subflow.syn_attempts, 3u);
  EXPECT_EQ(subflow.traffic_class, 0x28) << "ECN's two bits are not the program's";
}

TEST_F(Options, WithoutAnyNothingChanges) {
  const mptcp::ConnectionConfig standard, made = applied();
  EXPECT_EQ(made.no_delay, standard.no_delay);
  EXPECT_EQ(made.congestion_control, standard.congestion_control);
  EXPECT_EQ(made.subflow.keepalive_idle, standard.subflow.keepalive_idle);
  EXPECT_EQ(made.subflow.traffic_class, standard.subflow.traffic_class);
}

TEST_F(Options, KeepaliveTimesWithoutKeepaliveMeanNothing) {
  ASSERT_EQ(set(IPPROTO_TCP, TCP_KEEPIDLE, 11), 0);
  EXPECT_FALSE(applied().subflow.keepalive_idle.has_value());
}

TEST_F(Options, TheTrafficClassOfIpv6IsTheSame) {
  ASSERT_EQ(set(IPPROTO_IPV6, IPV6_TCLASS, 0x48), 0);
  EXPECT_EQ(applied().subflow.traffic_class, 0x48);
}

TEST_F(Options, TheHopLimitIsOfEitherFamily) {
  EXPECT_EQ(applied().subflow.hop_limit, 64);
  ASSERT_EQ(set(IPPROTO_IPV6, IPV6_UNICAST_HOPS, 7), 0);
  EXPECT_EQ(applied().subflow.hop_limit, 7);
  ASSERT_EQ(set(IPPROTO_IPV6, IPV6_UNICAST_HOPS, -1), 0);
  EXPECT_EQ(applied().subflow.hop_limit, 64);
  ASSERT_EQ(set(IPPROTO_IP, IP_TTL, 9), 0);
  EXPECT_EQ(applied().subflow.hop_limit, 9);
}

TEST_F(Options, ThatNobodyKnowsAreRefused) {
  EXPECT_EQ(set(IPPROTO_TCP, TCP_MD5SIG, 1), ENOPROTOOPT);
  EXPECT_EQ(set(IPPROTO_IP, IP_TOS, 256), EINVAL);
}

}  // namespace
}  // namespace braid::service
