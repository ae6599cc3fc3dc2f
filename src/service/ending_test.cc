// How connections end, and what the other side sees of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/testing/worlds.h"

namespace braid::service {
namespace {

// Accepts one connection; then does what it is told, a line of Python each.
constexpr const char* kObedient = R"(
l = socket.create_server(('0.0.0.0', 7000))
say('listening')
s, _ = l.accept()
while line := hear(): exec(line)
)";

constexpr const char* kClient = R"(
s = socket.create_connection((THERE, 7000))
say('connected')
while line := hear(): exec(line)
)";

class Ending : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(server.read_line(), "listening");
    client.emplace(worlds.client.python(kClient));
    ASSERT_EQ(client->read_line(), "connected");
  }
  std::string ask_client(const std::string& line) {
    client->write_line(line);
    return client->read_line();
  }
  Worlds worlds;
  Program server = worlds.server.python(kObedient);
  std::optional<Program> client;
};

TEST_F(Ending, CloseIsAnOrderlyEnd) {
  server.write_line("s.send(b'bye'); s.close()");
  EXPECT_EQ(ask_client("say(receive(s, 100), outcome(s.recv, 1))"), "b'bye' b''");
}

TEST_F(Ending, HalfCloseLetsTheOtherDirectionGoOn) {
  client->write_line("s.shutdown(socket.SHUT_WR)");
  server.write_line("say(receive(s, 1)); s.send(b'still'); time.sleep(.1); s.send(b' here'); s.close()");
  EXPECT_EQ(server.read_line(), "b''");
  EXPECT_EQ(ask_client("say(receive(s, 100), outcome(s.recv, 1))"), "b'still here' b''");
}

TEST_F(Ending, LingerOfZeroResets) {
  server.write_line("s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0)); s.close()");
  EXPECT_EQ(ask_client("say(outcome(s.recv, 1), outcome(s.recv, 1))"), "ECONNRESET b''");
  EXPECT_EQ(ask_client("say(outcome(s.send, b'x'))"), "EPIPE");
}

TEST_F(Ending, PollSeesAReset) {
  server.write_line("s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0)); s.close()");
  EXPECT_EQ(ask_client("say(bool(select.select([s], [], [])[0]), "
                       "errno.errorcode.get(s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)))"),
            "True ECONNRESET");
}

TEST_F(Ending, CloseWithUnreadDataResets) {
  client->write_line("s.send(b'unread')");
  server.write_line("select.select([s], [], []); s.close()");
  EXPECT_EQ(ask_client("say(outcome(s.recv, 1))"), "ECONNRESET");
}

TEST_F(Ending, ExitClosesWhatIsOpen) {
  server.write_line("os._exit(0)");
  EXPECT_EQ(ask_client("say(outcome(s.recv, 1))"), "b''");
}

TEST_F(Ending, DataWrittenBeforeTheProgramExitedArrives) {
  server.write_line("s.sendall(b'x' * (8 << 20)); os._exit(0)");
  EXPECT_EQ(ask_client("say(len(receive(s, 100 << 20)))"), std::to_string(8 << 20));
}

TEST_F(Ending, WritingAfterThePeerIsGoneGivesEpipe) {
  server.write_line("s.close()");
  EXPECT_EQ(ask_client("say(outcome(s.recv, 1)); s.send(b'x'); select.select([s], [], []); time.sleep(.2); "
                       "say(outcome(s.send, b'x'))"),
            "b''");
  EXPECT_EQ(client->read_line(), "EPIPE");
}

TEST_F(Ending, ShutdownOfReadingThrowsAwayWhatComes) {
  EXPECT_EQ(ask_client("say(s.shutdown(socket.SHUT_RD))"), "None");
  server.write_line("s.sendall(b'x' * (8 << 20)); say('sent'); say(receive(s, 5))");
  EXPECT_EQ(server.read_line(), "sent");
  client->write_line("s.send(b'hello')");
  EXPECT_EQ(server.read_line(), "b'hello'");
}

TEST_F(Ending, ADaemonThatDiesIsAResetAndNothingHangs) {
  server.write_line("s.setblocking(True); say('reading'); receive(s, 1 << 40)");
  ASSERT_EQ(server.read_line(), "reading");
  client->write_line("say('writing'); say(outcome(s.sendall, bytes(1 << 30)))");
  ASSERT_EQ(client->read_line(), "writing");
  worlds.client.kill();
  EXPECT_THAT(client->read_line(), testing::AnyOf("EPIPE", "ECONNRESET"));
  EXPECT_EQ(ask_client("say(outcome(s.recv, 1))"), "ECONNRESET");
  EXPECT_EQ(ask_client("say(outcome(s.getpeername) != 0, outcome(s.getsockopt, 1, 4))"), "True 104");
}

TEST_F(Ending, TheHostForgetsClosedConnections) {
  client->write_line("s.close()");
  server.write_line("say(receive(s, 1)); s.close()");
  EXPECT_EQ(server.read_line(), "b''");
  EXPECT_EQ(client->finish(), "");
  size_t sockets = 1;
  for (int i = 0; i < 1000 && sockets != 0; ++i) {
    worlds.client.inside([&](SocketService& service, host::Host&) { sockets = service.socket_count(); });
  }
  EXPECT_EQ(sockets, 0u);
}

}  // namespace
}  // namespace braid::service
