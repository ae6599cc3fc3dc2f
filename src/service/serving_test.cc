// Listening sockets, options, and programs that are really used.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include "service/testing/worlds.h"

namespace braid::service {
namespace {

using testing::HasSubstr;

TEST(Serving, ForkedWorkersShareAListener) {
  Worlds worlds;
  Program server = worlds.server.python(R"(
l = socket.create_server(('0.0.0.0', 7000))
for worker in range(2):
    if os.fork() == 0:
        while True:
            s, _ = l.accept()
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            s.sendall(b'%d' % worker)
            time.sleep(.02)
            s.close()
l.close()
say('listening')
hear()
os.killpg(0, 9)
)");
  ASSERT_EQ(server.read_line(), "listening");
  Program client = worlds.client.python(R"(
served = set()
for _ in range(10):
    sockets = [socket.create_connection((THERE, 7000)) for _ in range(4)]
    for s in sockets: served.add(receive(s, 10))
say(sorted(served))
)");
  EXPECT_EQ(client.finish(), "[b'0', b'1']\n");
}

TEST(Serving, AcceptedSocketsKnowTheirEnds) {
  Worlds worlds;
  Program server = worlds.server.python(R"(
l = socket.socket()
l.bind(('0.0.0.0', 0))
l.listen()
say(l.getsockname()[1])
s, peer = l.accept()
say(s.getsockname()[0], peer == s.getpeername(), s.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN),
    l.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN))
try: s.accept()
except OSError as e: say(errno.errorcode[e.errno])
)");
  const std::string port = server.read_line();
  EXPECT_EQ(worlds.client.python("socket.create_connection((THERE, " + port + ")).recv(1)").finish(), "");
  EXPECT_EQ(server.finish(), "192.0.2.2 True 0 1\nEINVAL\n");
}

TEST(Serving, AListenerTakesLoopbackConnectionsToo) {
  Worlds worlds;
  Program server = worlds.server.python(R"(
l = socket.socket()
l.bind(('0.0.0.0', 0))
l.listen()
say(l.getsockname()[1])
s, peer = l.accept()
say(peer[0], receive(s, 5))
)");
  const std::string port = server.read_line();
  Program client =
      worlds.server.python("socket.create_connection(('127.0.0.1', " + port + ")).send(b'hello')");
  EXPECT_EQ(client.finish(), "");
  EXPECT_EQ(server.finish(), "127.0.0.1 b'hello'\n");
}

TEST(Serving, ServerThatStartsAgainGetsItsPortWhileOldConnectionsLive) {
  Worlds worlds;
  Program server = worlds.server.python(R"(
l = socket.create_server(('0.0.0.0', 7000))
say('listening')
old, _ = l.accept()
l.close()
l = socket.create_server(('0.0.0.0', 7000))
say('listening again')
new, _ = l.accept()
new.sendall(b'new')
old.sendall(b'old')
)");
  ASSERT_EQ(server.read_line(), "listening");
  Program client = worlds.client.python(R"(
old = socket.create_connection((THERE, 7000))
say('connected')
hear()
new = socket.create_connection((THERE, 7000))
say(receive(new, 3), receive(old, 3))
)");
  ASSERT_EQ(client.read_line(), "connected");
  ASSERT_EQ(server.read_line(), "listening again");
  client.write_line("");
  EXPECT_EQ(client.finish(), "b'new' b'old'\n");
}

TEST(Serving, OneListenerAnEndpointUnlessPortsAreReused) {
  Worlds worlds;
  Program server = worlds.server.python(R"(
def listener(reuse):
    l = socket.socket()
    l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, reuse)
    l.bind(('0.0.0.0', 7000 + reuse))
    l.listen()
    return l
for reuse in 0, 1:
    first = listener(reuse)
    try:
        second = listener(reuse)
        say('shared')
    except OSError as e: say(errno.errorcode[e.errno])
)");
  EXPECT_EQ(server.finish(), "EADDRINUSE\nshared\n");
}

TEST(Serving, AWaitingConnectionDoesNotNeedAccept) {
  Worlds worlds;
  Program server = worlds.server.python(R"(
l = socket.create_server(('0.0.0.0', 7000))
say('listening')
hear()
s, _ = l.accept()
say(receive(s, 100))
)");
  ASSERT_EQ(server.read_line(), "listening");
  EXPECT_EQ(worlds.client.python("s = socket.create_connection((THERE, 7000)); s.send(b'early')").finish(),
            "");
  server.write_line("accept");
  EXPECT_EQ(server.finish(), "b'early'\n");
}

TEST(Serving, OptionsAnswerAsTheKernelDoes) {
  Worlds worlds;
  Program program = worlds.client.python(R"(
s = socket.socket()
def get(level, name, size=0):
    try: return s.getsockopt(level, name, size) if size else s.getsockopt(level, name)
    except OSError as e: return errno.errorcode[e.errno]
def put(level, name, value):
    try: return s.setsockopt(level, name, value)
    except OSError as e: return errno.errorcode[e.errno]
S, T = socket.SOL_SOCKET, socket.IPPROTO_TCP
say(get(S, socket.SO_TYPE), get(S, socket.SO_DOMAIN), get(S, socket.SO_PROTOCOL), get(S, socket.SO_ERROR))
say(put(S, socket.SO_KEEPALIVE, 1), get(S, socket.SO_KEEPALIVE), put(T, socket.TCP_KEEPIDLE, 0), get(T, socket.TCP_KEEPIDLE))
say(put(S, socket.SO_SNDBUF, 100000), get(S, socket.SO_SNDBUF))
say(put(T, socket.TCP_CONGESTION, b'nonsense'), put(T, socket.TCP_CONGESTION, b'reno'), get(T, socket.TCP_CONGESTION, 16))
say(put(T, 9999, 1), get(T, 9999), put(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1))
say(put(S, socket.SO_RCVTIMEO, struct.pack('ll', 0, 1000)), len(get(T, socket.TCP_INFO, 232)))
)");
  EXPECT_EQ(program.finish(),
            "1 2 6 0\n"
            "None 1 EINVAL 7200\n"
            "None 200000\n"
            "ENOENT None b'reno\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00'\n"
            "ENOPROTOOPT ENOPROTOOPT ENOPROTOOPT\n"
            "None 232\n");
}

// The library's own descriptor is not the program's business; closing it must do no harm.
TEST(Serving, SurvivesAProgramThatClosesEverything) {
  Worlds worlds;
  Program server = worlds.server.python(R"(
l = socket.create_server(('0.0.0.0', 7000))
os.closerange(l.fileno() + 1, 2000)
say('listening')
s, peer = l.accept()
say(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), socket.socket().fileno() > 0)
)");
  ASSERT_EQ(server.read_line(), "listening");
  EXPECT_EQ(worlds.client.python("socket.create_connection((THERE, 7000)).recv(1)").finish(), "");
  EXPECT_EQ(server.finish(), "0 True\n");
}

TEST(Serving, NonsenseOnTheControlSocketHarmsNobody) {
  Worlds worlds;
  Program program = worlds.client.python(R"(
path = os.environ['BRAID_SOCKET'] + '.app'
for message in (b'', b'x', b'x' * 56, b'1DRB' + bytes(52), b'1DRB\x02' + bytes(51), b'1DRB' + b'\xff' * 52, b'x' * 5000):
    c = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    c.connect(path)
    socket.send_fds(c, [message], [0, 1])
    c.settimeout(1)
    try: c.recv(2000)
    except OSError: pass
say(socket.socket().getsockname())
)");
  EXPECT_EQ(program.finish(), "('0.0.0.0', 0)\n");
}

// A program that has locked itself up can't see the control socket's path any more; the abstract name is
// still there.
TEST(Serving, GoesOnInAChrootAfterFork) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root (chroot)";
  Worlds worlds;
  Program server = worlds.server.python(R"(
import tempfile
l = socket.create_server(('0.0.0.0', 7000))
say('listening')
s, _ = l.accept()
if os.fork() == 0:
    os.chroot(tempfile.mkdtemp()); os.chdir('/'); os.setuid(65534)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    say(s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), outcome(s.recv, 1), socket.socket().getsockname())
    os._exit(0)
os.wait()
)");
  ASSERT_EQ(server.read_line(), "listening");
  EXPECT_EQ(worlds.client.python("socket.create_connection((THERE, 7000)).close()").finish(), "");
  EXPECT_EQ(server.finish(), "1 b'' ('0.0.0.0', 0)\n");
}

TEST(Serving, ANewDaemonServesAProgramThatOutlivedTheOld) {
  MemoryLink link;
  std::optional<World> daemon;
  daemon.emplace(link, 0);
  const std::string path = daemon->socket_path();
  Program program = daemon->python(R"(
s = socket.socket()
say(outcome(s.bind, (HERE, 5000))); hear()
say(outcome(s.listen), outcome(s.getsockname)); hear()
t = socket.socket()
say(outcome(t.bind, (HERE, 5000)))
)");
  EXPECT_EQ(program.read_line(), "None");
  daemon.reset();
  program.write_line("gone");
  EXPECT_THAT(program.read_line(), HasSubstr("ENETDOWN"));
  World next(link, 0, SocketSettings{}, path);
  program.write_line("back");
  EXPECT_EQ(program.finish(), "None\n");
}

TEST(Serving, CurlFetchesFromPythonsServer) {
  if (access("/usr/bin/curl", X_OK) != 0) GTEST_SKIP() << "needs curl";
  Worlds worlds;
  Program server = worlds.server.python(R"(
import http.server, tempfile
os.chdir(tempfile.mkdtemp())
open('file', 'wb').write(b'0123456789' * 300000)
server = http.server.ThreadingHTTPServer(('0.0.0.0', 8000), http.server.SimpleHTTPRequestHandler)
say('listening')
server.serve_forever()
)");
  ASSERT_EQ(server.read_line(), "listening");
  for (int i = 0; i < 3; ++i) {
    Program curl = worlds.client.start({"curl", "-sS", "-o", "/dev/null", "-w",
                                        "%{http_code} %{size_download} %{remote_ip} %{local_ip}",
                                        "http://192.0.2.2:8000/file"});
    EXPECT_EQ(curl.finish(), "200 3000000 192.0.2.2 192.0.2.1");
  }
}

}  // namespace
}  // namespace braid::service
