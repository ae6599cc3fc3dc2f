#include "service/control_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <future>
#include <thread>

#include "service/control.h"

namespace braid::service {
namespace {

using nlohmann::json;
using testing::HasSubstr;

/// A server in a thread, that returns requests with "seen" added and refuses the command "refuse".
class Control : public testing::Test {
 protected:
  Control() {
    directory_ = "/tmp/braid-test-XXXXXX";
    EXPECT_NE(mkdtemp(directory_.data()), nullptr);
    path = directory_ + "/control";
    server = std::make_unique<ControlServer>(
        loop, [](const json& request, Subscriptions& subscriptions) -> tl::expected<json, std::string> {
          if (request["command"] == "text") return json(request.value("action", std::string("none")));
          if (request["command"] == "subscribe") subscriptions.add(Feed::kPaths);
          if (request["command"] == "follow") subscriptions.add(Feed::kDecisions);
          if (request["command"] == "refuse") return tl::unexpected(std::string("no"));
          json answer = request;
          answer["seen"] = true;
          return answer;
        });
    EXPECT_TRUE(server->listen(path).has_value());
    thread_ = std::thread([this] { loop.run(); });
  }
  ~Control() override {
    loop.post([this] { loop.stop(); });
    thread_.join();
    server.reset();
    rmdir(directory_.c_str());
  }
  /// Sends raw bytes, and returns what comes until `lines` lines are there or the server closes.
  std::string exchange(const std::string& bytes, size_t lines) {
    const io::FileDescriptor fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    std::string text;
    char c;
    while (lines > 0 && recv(fd.get(), &c, 1, 0) == 1) {
      text.push_back(c);
      if (c == '\n') --lines;
    }
    return text;
  }

  std::string path;
  io::EventLoop loop;
  std::unique_ptr<ControlServer> server;

 private:
  std::string directory_;
  std::thread thread_;
};

TEST_F(Control, AnswersInOrderOnOneConnection) {
  auto client = ControlClient::connect(path);
  ASSERT_TRUE(client.has_value());
  for (int i = 0; i < 100; ++i) {
    const auto answer = client->call({{"command", "echo"}, {"number", i}});
    ASSERT_TRUE(answer.has_value());
    EXPECT_EQ((*answer)["number"], i);
    EXPECT_TRUE((*answer)["seen"]);
  }
  EXPECT_EQ(client->call({{"command", "refuse"}}).error(), "no");
}

TEST_F(Control, NonsenseGetsAnErrorAndNothingElse) {
  EXPECT_THAT(exchange("nonsense\n[]\n{\"command\": 5}\n\xff\n{\"command\":\"x\"}\n", 5),
              testing::AllOf(HasSubstr("JSON object"), HasSubstr("\"seen\":true")));
  EXPECT_EQ(exchange(std::string(200000, 'x'), 1), "");
}

TEST_F(Control, AMemberOfTheWrongTypeIsAnErrorAndNotTheEnd) {
  auto client = ControlClient::connect(path);
  ASSERT_TRUE(client.has_value());
  EXPECT_THAT(client->call({{"command", "text"}, {"action", 5}}).error(), HasSubstr("type"));
  EXPECT_EQ(*client->call({{"command", "text"}}), "none");
}

TEST_F(Control, EventsGoToThoseThatWantThem) {
  auto subscriber = ControlClient::connect(path), other = ControlClient::connect(path);
  ASSERT_TRUE(subscriber && other);
  ASSERT_TRUE(subscriber->call({{"command", "subscribe"}}).has_value());
  ASSERT_TRUE(other->call({{"command", "echo"}}).has_value());
  loop.post([this] { server->publish(Feed::kPaths, R"({"event":"one"})"); });
  loop.post([this] { server->publish(Feed::kPaths, R"({"event":"two"})"); });
  EXPECT_EQ((*subscriber->next_event())["event"], "one");
  // An answer that comes after an event does not take its place, nor the event that of the answer.
  EXPECT_EQ((*subscriber->call({{"command", "echo"}, {"number", 3}}))["number"], 3);
  EXPECT_EQ((*subscriber->next_event())["event"], "two");
  EXPECT_EQ((*other->call({{"command", "echo"}, {"number", 4}}))["number"], 4);
}

TEST_F(Control, AClientGetsOnlyTheEventsThatItAskedFor) {
  auto paths = ControlClient::connect(path), decisions = ControlClient::connect(path);
  ASSERT_TRUE(paths && decisions);
  ASSERT_TRUE(paths->call({{"command", "subscribe"}}).has_value());
  ASSERT_TRUE(decisions->call({{"command", "follow"}}).has_value());
  loop.post([this] {
    server->publish(Feed::kPaths, R"({"event":"path"})");
    server->publish(Feed::kDecisions, R"({"event":"decision"})");
    server->publish(Feed::kPaths, R"({"event":"path"})");
  });
  EXPECT_EQ((*decisions->next_event())["event"], "decision");
  ASSERT_TRUE(decisions->call({{"command", "echo"}}).has_value());
  EXPECT_TRUE(decisions->take_events().empty());
  EXPECT_EQ((*paths->next_event())["event"], "path");
  EXPECT_EQ((*paths->next_event())["event"], "path");
}

TEST_F(Control, OneThatDoesNotReadIsToldWhatItMissed) {
  auto client = ControlClient::connect(path);
  ASSERT_TRUE(client.has_value());
  ASSERT_TRUE(client->call({{"command", "subscribe"}}).has_value());
  const std::string line = R"({"event":"x","padding":")" + std::string(10'000, 'y') + "\"}";
  const auto publish = [&](int count) {
    std::promise<void> done;
    loop.post([&] {
      for (int i = 0; i < count; ++i) server->publish(Feed::kPaths, line);
      done.set_value();
    });
    done.get_future().wait();
  };
  publish(1000);
  uint64_t seen = 0, lost = 0;
  const auto read = [&] {
    const auto event = client->next_event();
    if ((*event)["event"] == "lost")
      lost += (*event)["count"].get<uint64_t>();
    else
      ++seen;
  };
  while (seen < 50) read();
  publish(1);
  while (lost == 0) read();
  while (seen + lost < 1001) read();
  EXPECT_GT(lost, 500u);
  EXPECT_EQ(seen + lost, 1001u);
}

TEST_F(Control, OnlyTheOwnerMayAsk) {
  struct stat status {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600u);
}

TEST_F(Control, ASecondServerDoesNotTakeThePath) {
  io::EventLoop other;
  ControlServer second(other, [](const json&, Subscriptions&) { return json(); });
  const auto listening = second.listen(path);
  ASSERT_FALSE(listening.has_value());
  EXPECT_THAT(listening.error().message, HasSubstr("Another daemon"));
}

TEST(ControlClientTest, SaysWhereItLookedAndWhatToDo) {
  const auto client = ControlClient::connect("/tmp/no-such-braid.sock");
  ASSERT_FALSE(client.has_value());
  EXPECT_THAT(client.error(),
              testing::AllOf(HasSubstr("/tmp/no-such-braid.sock"), HasSubstr("braid daemon")));
}

}  // namespace
}  // namespace braid::service
