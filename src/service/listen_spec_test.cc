#include "service/listen_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace braid::service {
namespace {

using testing::HasSubstr;

TEST(ListenSpec, AllItsForms) {
  EXPECT_EQ(parse_listen("443")->to_string(), "port 443 to 127.0.0.1:443");
  EXPECT_EQ(parse_listen("443=8443")->to_string(), "port 443 to 127.0.0.1:8443");
  EXPECT_EQ(parse_listen("443=[::1]:8443")->to_string(), "port 443 to [::1]:8443");
  EXPECT_EQ(parse_listen("192.0.2.1:443=198.51.100.7:80")->to_string(), "192.0.2.1:443 to 198.51.100.7:80");
  EXPECT_FALSE(parse_listen("443=8443")->sends_proxy_header);
  EXPECT_TRUE(parse_listen("443=8443,proxy")->sends_proxy_header);
  EXPECT_TRUE(parse_listen("443,proxy")->sends_proxy_header);
}

TEST(ListenSpec, SaysWhatIsWrong) {
  for (const char* text : {"", "0", "65536", "x", "=80", "192.0.2.1"})
    EXPECT_THAT(parse_listen(text).error(), HasSubstr("no port to listen on")) << text;
  for (const char* text : {"443=", "443=0", "443=192.0.2.1", "443=0.0.0.0:80", "443=service:80"})
    EXPECT_THAT(parse_listen(text).error(), HasSubstr("no service after")) << text;
  EXPECT_THAT(parse_listen("443,prxy").error(), HasSubstr("no such option"));
}

TEST(ListenSpec, ProxyHeaderOfBothFamilies) {
  const auto at = [](std::string_view text) { return *wire::Endpoint::parse(text); };
  const std::string v4 = proxy_header(at("192.0.2.1:4660"), at("198.51.100.2:443"));
  const std::string signature("\r\n\r\n\0\r\nQUIT\n", 12);
  EXPECT_EQ(v4,
            signature + std::string("\x21\x11\x00\x0c\xc0\x00\x02\x01\xc6\x33\x64\x02\x12\x34\x01\xbb", 16));
  const std::string v6 = proxy_header(at("[2001:db8::1]:4660"), at("[2001:db8::2]:443"));
  EXPECT_EQ(v6.size(), 12u + 4 + 36);
  EXPECT_EQ(v6.substr(12, 4), std::string("\x21\x21\x00\x24", 4));
  EXPECT_EQ(v6.substr(v6.size() - 4), std::string("\x12\x34\x01\xbb", 4));
}

}  // namespace
}  // namespace braid::service
