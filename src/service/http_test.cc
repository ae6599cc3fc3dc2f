#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cstring>
#include <thread>

#include "service/http_request.h"
#include "service/http_server.h"

namespace braid::service {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

// ---- what a request is

TEST(HttpRequestTest, IsWholeWhenTheEmptyLineIsThere) {
  const std::string text = "GET /metrics?x=1 HTTP/1.1\r\nHost: localhost\r\nAccept: Text/Plain\r\n\r\n";
  for (size_t length = 0; length < text.size(); ++length)
    EXPECT_EQ(parse_http_request(text.substr(0, length)).status, 0) << length;
  const HttpParsed parsed = parse_http_request(text + "GET");
  EXPECT_EQ(parsed.status, 200);
  EXPECT_EQ(parsed.size, text.size());
  EXPECT_EQ(parsed.request.method, "GET");
  EXPECT_EQ(parsed.request.target, "/metrics");
  EXPECT_EQ(parsed.request.accept, "text/plain");
  EXPECT_TRUE(parsed.request.keeps_alive);
}

TEST(HttpRequestTest, SaysWhetherTheClientComesAgain) {
  const auto keeps = [](const char* text) { return parse_http_request(text).request.keeps_alive; };
  EXPECT_FALSE(keeps("GET / HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(keeps("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"));
  EXPECT_FALSE(keeps("GET / HTTP/1.1\r\nConnection: close\r\n\r\n"));
  EXPECT_TRUE(keeps("GET / HTTP/1.1\n\n"));
}

TEST(HttpRequestTest, NonsenseHasItsStatus) {
  const auto status = [](const std::string& text) { return parse_http_request(text).status; };
  EXPECT_EQ(status("nonsense\r\n\r\n"), 400);
  EXPECT_EQ(status("GET /\r\n\r\n"), 400);
  EXPECT_EQ(status("GET  HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(status("G\x01T / HTTP/1.1\r\n\r\n"), 400);
  EXPECT_EQ(status("GET / HTTP/1.1\r\nno colon\r\n\r\n"), 400);
  EXPECT_EQ(status("GET / HTTP/1.1\r\nx : y\r\n\r\n"), 400);
  EXPECT_EQ(status("GET / HTTP/2.0\r\n\r\n"), 505);
  EXPECT_EQ(status("GET / HTTP/1.1\r\nContent-Length: 5\r\n\r\n"), 413);
  EXPECT_EQ(status("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"), 413);
  EXPECT_EQ(status("GET / HTTP/1.1\r\nContent-Length: 0\r\n\r\n"), 200);
  EXPECT_EQ(status("GET /" + std::string(9000, 'a')), 431);
  EXPECT_EQ(status("GET / HTTP/1.1\r\nx: " + std::string(9000, 'a') + "\r\n\r\n"), 431);
}

TEST(HttpAddressTest, IsLoopbackOrAUnixSocket) {
  EXPECT_EQ(parse_http_address("127.0.0.1:9464")->endpoint.port, 9464);
  EXPECT_EQ(parse_http_address("localhost:1")->endpoint.address.to_string(), "127.0.0.1");
  EXPECT_EQ(parse_http_address("[::1]:9464")->endpoint.address.to_string(), "::1");
  EXPECT_EQ(parse_http_address("unix:/run/x.sock")->unix_path, "/run/x.sock");
  EXPECT_EQ(parse_http_address("/run/x.sock")->unix_path, "/run/x.sock");
  for (const char* wrong :
       {"", "9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:70000", "::1:9464", "unix:"})
    EXPECT_FALSE(parse_http_address(wrong).has_value()) << wrong;
  for (const char* open : {"0.0.0.0:9464", "192.0.2.1:9464", "[::]:9464"})
    EXPECT_THAT(parse_http_address(open).error(), HasSubstr("from outside")) << open;
}

// ---- the server

class Server : public testing::Test {
 protected:
  void start(const HttpLimits& limits = {}) {
    server = std::make_unique<HttpServer>(
        loop,
        [](const HttpRequest& request) -> HttpAnswer {
          if (request.target == "/big") return {.body = std::string(5'000'000, 'b')};
          if (request.target != "/metrics") return {.status = 404, .body = "no\n"};
          return {.body = "page\n"};
        },
        limits);
    ASSERT_TRUE(server->listen(*parse_http_address("127.0.0.1:0")).has_value());
    thread_ = std::thread([this] { loop.run(); });
  }
  ~Server() override {
    if (!thread_.joinable()) return;
    loop.post([this] { loop.stop(); });
    thread_.join();
    server.reset();
  }
  io::FileDescriptor connect() {
    io::FileDescriptor fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(server->port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    return fd;
  }
  static void send(const io::FileDescriptor& fd, const std::string& text) {
    ::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL);
  }
  /// Until the server closes.
  static std::string read_all(const io::FileDescriptor& fd) {
    std::string text;
    char buffer[65536];
    for (ssize_t n = 0; (n = recv(fd.get(), buffer, sizeof(buffer), 0)) > 0;)
      text.append(buffer, static_cast<size_t>(n));
    return text;
  }
  static std::string read_until(const io::FileDescriptor& fd, const std::string& end) {
    std::string text;
    for (char c = 0; !text.ends_with(end) && recv(fd.get(), &c, 1, 0) == 1;) text.push_back(c);
    return text;
  }
  std::string exchange(const std::string& request) {
    const auto fd = connect();
    send(fd, request);
    return read_all(fd);
  }
  io::EventLoop loop;
  std::unique_ptr<HttpServer> server;

 private:
  std::thread thread_;
};

TEST_F(Server, AnswersGetAndHeadAndNothingElse) {
  start();
  EXPECT_THAT(exchange("GET /metrics HTTP/1.0\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("Content-Length: 5\r\n"),
                    HasSubstr("Connection: close\r\n"), testing::EndsWith("\r\n\r\npage\n")));
  EXPECT_THAT(exchange("HEAD /metrics HTTP/1.0\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("Content-Length: 5\r\n"),
                    testing::EndsWith("\r\n\r\n")));
  EXPECT_THAT(exchange("GET /other HTTP/1.0\r\n\r\n"), StartsWith("HTTP/1.1 404 Not Found\r\n"));
  EXPECT_THAT(exchange("POST /metrics HTTP/1.0\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 405 Method Not Allowed\r\n"), HasSubstr("Allow: GET, HEAD\r\n")));
  EXPECT_THAT(exchange("nonsense\r\n\r\nGET /metrics HTTP/1.0\r\n\r\n"),
              AllOf(StartsWith("HTTP/1.1 400"), Not(HasSubstr("page"))));
  EXPECT_THAT(exchange(std::string(100'000, 'x')), testing::AnyOf(StartsWith("HTTP/1.1 431"), ""));
}

TEST_F(Server, OneConnectionCarriesManyRequests) {
  start();
  const auto fd = connect();
  for (int i = 0; i < 3; ++i) {
    send(fd, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_THAT(read_until(fd, "page\n"), HasSubstr("keep-alive"));
  }
  // Two at once, and one in pieces.
  send(fd, "GET /metrics HTTP/1.1\r\n\r\nGET /metrics HTTP/1.1\r\n\r\nGET /met");
  read_until(fd, "page\n");
  read_until(fd, "page\n");
  send(fd, "rics HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(read_all(fd), testing::EndsWith("page\n"));
}

TEST_F(Server, ABigPageGoesOutWholeToASlowReader) {
  start();
  const auto fd = connect();
  send(fd, "GET /big HTTP/1.0\r\n\r\n");
  EXPECT_GT(read_all(fd).size(), 5'000'000u);
}

TEST_F(Server, OneWhoAsksTooSlowlyIsSentAway) {
  start({.request = 100ms});
  const auto fd = connect();
  send(fd, "GET /metr");
  EXPECT_THAT(read_all(fd), StartsWith("HTTP/1.1 408"));
  EXPECT_EQ(read_all(connect()), "");  // who says nothing at all is not told
  EXPECT_THAT(exchange("GET /metrics HTTP/1.0\r\n\r\n"), HasSubstr("page"));
}

TEST_F(Server, ARequestThatTricklesInGetsNoMoreTimeWithEachOctet) {
  start({.request = 100ms});
  const auto fd = connect();
  send(fd, "GET /metrics HTTP/1.1\r\nX: ");
  bool is_over = false;
  for (int i = 0; i < 200 && !is_over; ++i) {
    send(fd, "x");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    char c = 0;
    is_over = recv(fd.get(), &c, 1, MSG_DONTWAIT) >= 0;
  }
  EXPECT_TRUE(is_over);
}

TEST_F(Server, OneWhoDoesNotTakeTheAnswerIsSentAway) {
  start({.clients = 1, .answer = 100ms});
  const auto slow = connect();
  send(slow, "GET /big HTTP/1.1\r\n\r\n");
  std::string text;  // its place is free again, sooner or later
  while (!text.starts_with("HTTP/1.1 200")) text = exchange("GET /metrics HTTP/1.0\r\n\r\n");
}

TEST_F(Server, MoreClientsThanThereIsRoomForAreToldSo) {
  start({.clients = 2});
  const auto one = connect(), two = connect();
  for (const auto* fd : {&one, &two}) {
    send(*fd, "GET /metrics HTTP/1.1\r\n\r\n");
    read_until(*fd, "page\n");
  }
  EXPECT_THAT(exchange(""), StartsWith("HTTP/1.1 503"));
  send(one, "GET /metrics HTTP/1.1\r\n\r\n");
  EXPECT_THAT(read_until(one, "page\n"), HasSubstr("200 OK"));
}

TEST_F(Server, ListensOnAUnixSocketAndLeavesOthersFilesAlone) {
  std::string directory = "/tmp/braid-test-XXXXXX";
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  const std::string path = directory + "/metrics.sock";
  {
    HttpServer first(loop, [](const HttpRequest&) { return HttpAnswer{}; });
    ASSERT_TRUE(first.listen(*parse_http_address("unix:" + path)).has_value());
    struct stat status {};
    ASSERT_EQ(stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0660u);
    HttpServer second(loop, [](const HttpRequest&) { return HttpAnswer{}; });
    EXPECT_THAT(second.listen(*parse_http_address(path)).error().message,
                HasSubstr("Something else listens"));
  }
  EXPECT_NE(access(path.c_str(), F_OK), 0);
  fclose(fopen(path.c_str(), "w"));
  HttpServer third(loop, [](const HttpRequest&) { return HttpAnswer{}; });
  EXPECT_FALSE(third.listen(*parse_http_address(path)).has_value());
  EXPECT_EQ(access(path.c_str(), F_OK), 0);
  unlink(path.c_str());
  rmdir(directory.c_str());
}

}  // namespace
}  // namespace braid::service
