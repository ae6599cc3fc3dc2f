#include "cli/resolv_conf.h"

#include <gtest/gtest.h>

namespace braid::cli {
namespace {

std::optional<ResolvConf> redirect(std::string_view text) {
  return redirect_loopback_resolvers(text, "192.0.0.1", "2001:db8::1");
}

TEST(ResolvConf, OneWithoutLoopbackStaysAsItIs) {
  EXPECT_FALSE(redirect("search example.org\nnameserver 192.0.2.53\nnameserver 2001:db8::53\n"));
}

TEST(ResolvConf, TheStubResolverBecomesTheGateway) {
  const auto made =
      redirect("# systemd\nnameserver 127.0.0.53\noptions edns0 trust-ad\nsearch example.org\n");
  ASSERT_TRUE(made);
  EXPECT_EQ(made->text, "# systemd\nnameserver 192.0.0.1\noptions edns0 trust-ad\nsearch example.org\n");
  EXPECT_EQ(made->resolver.to_string(), "127.0.0.53");
}

TEST(ResolvConf, OfSeveralOnTheLoopbackTheFirstCountsAndOthersStay) {
  const auto made = redirect("nameserver ::1\nnameserver 192.0.2.53\nnameserver 127.0.0.1\n");
  ASSERT_TRUE(made);
  EXPECT_EQ(made->text, "nameserver 2001:db8::1\nnameserver 192.0.2.53\n");
  EXPECT_EQ(made->resolver.to_string(), "::1");
}

TEST(ResolvConf, NoneAtAllMeansThisMachine) {
  const auto made = redirect("search example.org\n");
  ASSERT_TRUE(made);
  EXPECT_EQ(made->text, "search example.org\nnameserver 192.0.0.1\n");
  EXPECT_EQ(made->resolver.to_string(), "127.0.0.1");
}

}  // namespace
}  // namespace braid::cli
