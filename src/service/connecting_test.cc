// connect() in all its moods.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/testing/worlds.h"

namespace braid::service {
namespace {

using testing::HasSubstr;

constexpr const char* kServer = R"(
l = socket.create_server(('0.0.0.0', 7000))
say('listening')
while True:
    s, _ = l.accept()
    s.sendall(b'welcome')
)";

TEST(Connecting, BlockingConnectSaysRefused) {
  Worlds worlds;
  Program client = worlds.client.python(R"(
s = socket.socket()
say(outcome(s.connect, (THERE, 7999)), error_of(s))
)");
  EXPECT_EQ(client.finish(), "ECONNREFUSED 0\n");
}

TEST(Connecting, NonBlockingConnectPollsWritableOnlyWhenDone) {
  Worlds worlds;
  Program server = worlds.server.python(kServer);
  ASSERT_EQ(server.read_line(), "listening");
  Program client = worlds.client.python(R"(
s = socket.socket()
s.setblocking(False)
edge = select.epoll()
edge.register(s, select.EPOLLOUT | select.EPOLLET)
say(outcome(s.connect, (THERE, 7000)))
say(edge.poll(5)[0][1] & select.EPOLLOUT != 0, error_of(s))
say(outcome(s.connect, (THERE, 7000)), outcome(s.connect, (THERE, 7000)))
s.setblocking(True)
say(receive(s, 7))
)");
  EXPECT_EQ(client.finish(), "EINPROGRESS\nTrue 0\nNone EISCONN\nb'welcome'\n");
}

TEST(Connecting, StaysUnwritableWhileNobodyAnswers) {
  Worlds worlds;
  worlds.link.cut();
  Program client = worlds.client.python(R"(
s = socket.socket()
s.setblocking(False)
say(outcome(s.connect, (THERE, 7000)))
say(select.select([s], [s], [s], 0.3))
say(outcome(s.connect, (THERE, 7000)), error_of(s))
t = socket.socket()
t.settimeout(0.3)
try: t.connect((THERE, 7000))
except TimeoutError: say('timed out')
)");
  EXPECT_EQ(client.finish(), "EINPROGRESS\n([], [], [])\nEALREADY 0\ntimed out\n");
}

TEST(Connecting, SendTimeoutLimitsABlockingConnect) {
  Worlds worlds;
  worlds.link.cut();
  Program client = worlds.client.python(R"(
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack('ll', 0, 200000))
say(outcome(s.connect, (THERE, 7000)))
)");
  EXPECT_EQ(client.finish(), "EINPROGRESS\n");
}

TEST(Connecting, FailedNonBlockingConnectPollsAsErrorAndMayBeTriedAgain) {
  Worlds worlds;
  Program client = worlds.client.python(R"(
s = socket.socket()
s.setblocking(False)
edge = select.epoll()
edge.register(s, select.EPOLLIN | select.EPOLLOUT)
say(outcome(s.connect, (THERE, 7000)))
events = edge.poll(5)[0][1]
say(events & select.EPOLLERR != 0, events & select.EPOLLHUP != 0, error_of(s), error_of(s))
say('again'); hear()
say(outcome(s.connect, (THERE, 7000)))
say(edge.poll(5)[0][1] & (select.EPOLLOUT | select.EPOLLERR) == select.EPOLLOUT, error_of(s))
s.setblocking(True)
say(receive(s, 7))
)");
  EXPECT_EQ(client.read_line(), "EINPROGRESS");
  EXPECT_EQ(client.read_line(), "True True ECONNREFUSED 0");
  EXPECT_EQ(client.read_line(), "again");
  Program server = worlds.server.python(kServer);
  ASSERT_EQ(server.read_line(), "listening");
  client.write_line("go");
  EXPECT_EQ(client.finish(), "EINPROGRESS\nTrue 0\nb'welcome'\n");
}

// With SA_RESTART the kernel goes on waiting; without, EINTR, and the connection comes about by itself.
TEST(Connecting, SignalsInterruptABlockingConnectAsTheyDoInTcp) {
  Worlds worlds;
  worlds.link.cut();
  Program client = worlds.client.python(R"(
import signal, ctypes, threading
libc = ctypes.CDLL(None, use_errno=True)
count = 0
def note(*_):
    global count
    count += 1
address = struct.pack('=HH', socket.AF_INET, socket.htons(7000)) + socket.inet_aton(THERE) + bytes(8)
signal.signal(signal.SIGALRM, note)
signal.siginterrupt(signal.SIGALRM, True)
s = socket.socket()
signal.setitimer(signal.ITIMER_REAL, 0.2)
say(libc.connect(s.fileno(), address, 16), name(ctypes.get_errno()), count)
say(outcome(s.getpeername))
signal.siginterrupt(signal.SIGALRM, False)
signal.setitimer(signal.ITIMER_REAL, 0.2)
t = socket.socket()
done = []
thread = threading.Thread(target=lambda: (signal.pthread_sigmask(signal.SIG_UNBLOCK, []),
                          done.append(libc.connect(t.fileno(), address, 16))), daemon=True)
thread.start()
time.sleep(0.6)
say(done)
os._exit(0)
)");
  EXPECT_EQ(client.finish(), "-1 EINTR 1\nENOTCONN\n[]\n");
}

TEST(Connecting, LoopbackIsTheKernels) {
  Worlds worlds;
  Program server = worlds.client.python(R"(
l = socket.create_server(('127.0.0.1', 0))
poll = select.epoll()
say(l.getsockname()[1], l.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
s, peer = l.accept()
say(peer[0], receive(s, 5))
)");
  std::string port = server.read_line();
  ASSERT_THAT(port, HasSubstr(" 1"));
  port.resize(port.find(' '));
  Program client = worlds.client.python(R"(
s = socket.socket()
s.setblocking(False)
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
edge = select.epoll()
edge.register(s, select.EPOLLOUT | select.EPOLLET)
try: s.connect(('127.0.0.1', )" + port + R"())
except BlockingIOError: pass
say(edge.poll(5)[0][1] & select.EPOLLOUT != 0)
say(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), s.getpeername()[0], s.getblocking())
s.send(b'hello')
)");
  EXPECT_EQ(client.finish(), "True\n1 127.0.0.1 False\n");
  EXPECT_EQ(server.finish(), "127.0.0.1 b'hello'\n");
}

TEST(Connecting, WithoutARouteOrTheKernelsHelpTheErrorIsTheNetworks) {
  MemoryLink link;
  World world(link, 0, {.kernel_fallback = false});
  Program client = world.python(R"(
s = socket.socket()
say(outcome(s.connect, ('203.0.113.1', 7000)), outcome(s.connect, ('203.0.113.1', 7000)))
say(outcome(s.bind, ('203.0.113.1', 7000)), outcome(s.listen))
)");
  EXPECT_EQ(client.finish(), "ENETUNREACH ENETUNREACH\nNone EADDRNOTAVAIL\n");
}

TEST(Connecting, BindChoosesTheLocalEnd) {
  Worlds worlds;
  Program server = worlds.server.python(kServer);
  ASSERT_EQ(server.read_line(), "listening");
  Program client = worlds.client.python(R"(
s = socket.socket()
s.bind((HERE, 0))
port = s.getsockname()[1]
say(port != 0, outcome(s.bind, (HERE, 0)))
t = socket.socket()
say(outcome(t.bind, ('0.0.0.0', port)))
s.connect((THERE, 7000))
say(s.getsockname() == (HERE, port), receive(s, 7))
)");
  EXPECT_EQ(client.finish(), "True EINVAL\nEADDRINUSE\nTrue b'welcome'\n");
}

TEST(Connecting, WithoutADaemonSocketFailsAndSaysWhy) {
  Worlds worlds;
  worlds.client.kill();
  Program client = worlds.client.python(R"(
for _ in range(2):
    try: socket.socket()
    except OSError as e: say(errno.errorcode[e.errno])
socket.socket(socket.AF_UNIX); socket.socket(type=socket.SOCK_DGRAM)
)");
  const std::string output = client.finish();
  EXPECT_THAT(output, HasSubstr("ENETDOWN\nENETDOWN\n"));
  EXPECT_THAT(output, HasSubstr("braid: no daemon at " + worlds.client.socket_path()));
}

}  // namespace
}  // namespace braid::service
