// Bytes between unmodified programs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "service/testing/worlds.h"

namespace braid::service {
namespace {

// Serves one connection: sends back the digest of all it receives, or a file.
constexpr const char* kDigestServer = R"(
import hashlib
l = socket.create_server(('0.0.0.0', 7000))
say('listening')
s, peer = l.accept()
digest = hashlib.sha256()
while part := s.recv(1 << 18): digest.update(part)
s.sendall(digest.digest())
s.close()
say('from', peer[0])
)";

TEST(Transfer, CarriesEveryByteAndHalfCloses) {
  Worlds worlds;
  Program server = worlds.server.python(kDigestServer);
  ASSERT_EQ(server.read_line(), "listening");
  Program client = worlds.client.python(R"(
import hashlib
data = os.urandom(32 << 20)
s = socket.create_connection((THERE, 7000))
s.sendall(data)
s.shutdown(socket.SHUT_WR)
answer = receive(s, 1000)
say(answer == hashlib.sha256(data).digest())
)");
  EXPECT_EQ(client.finish(), "True\n");
  EXPECT_EQ(server.finish(), "from 192.0.2.1\n");
}

// include/braid/socket_options.h
TEST(Transfer, TheSchedulerIsASocketOption) {
  Worlds worlds;
  Program server = worlds.server.python(kDigestServer);
  ASSERT_EQ(server.read_line(), "listening");
  Program client = worlds.client.python(R"(
import hashlib
SOL_MPTCP, BRAID_SCHEDULER = 284, 0x4201
def which(s): return s.getsockopt(SOL_MPTCP, BRAID_SCHEDULER, 64).rstrip(b'\0').decode()
data = os.urandom(4 << 20)
s = socket.socket()
say(which(s))
s.setsockopt(SOL_MPTCP, BRAID_SCHEDULER, b'redundant')
say(which(s))
s.connect((THERE, 7000))
say(which(s))
for i, scheduler in enumerate([b'ecf', b'weighted', b'redundant', b'blest']):
    s.sendall(data[i << 20:i + 1 << 20])
    s.setsockopt(SOL_MPTCP, BRAID_SCHEDULER, scheduler)
    say(which(s))
say(outcome(s.setsockopt, SOL_MPTCP, BRAID_SCHEDULER, b'no-such'))
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b'balia')
s.shutdown(socket.SHUT_WR)
say(receive(s, 1000) == hashlib.sha256(data).digest())
)");
  EXPECT_EQ(client.finish(),
            "lowest-rtt\nredundant\nredundant\necf\nweighted\nredundant\nblest\nENOENT\nTrue\n");
}

TEST(Transfer, SendsFilesWithoutCopying) {
  Worlds worlds;
  Program server = worlds.server.python(kDigestServer);
  ASSERT_EQ(server.read_line(), "listening");
  Program client = worlds.client.python(R"(
import hashlib, tempfile
data = os.urandom(8 << 20)
f = tempfile.TemporaryFile()
f.write(data); f.flush()
s = socket.create_connection((THERE, 7000))
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
s.send(b'header')
offset = 0
while offset < len(data): offset += os.sendfile(s.fileno(), f.fileno(), offset, len(data) - offset)
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)
s.shutdown(socket.SHUT_WR)
say(receive(s, 1000) == hashlib.sha256(b'header' + data).digest())
)");
  EXPECT_EQ(client.finish(), "True\n");
}

// The reader sleeps until asked: the writer must block, not be swallowed whole.
TEST(Transfer, HoldsBackAWriterWhoseReaderDoesNotRead) {
  Worlds worlds;
  Program server = worlds.server.python(R"(
l = socket.create_server(('0.0.0.0', 7000))
say('listening')
s, _ = l.accept()
hear()
say(len(receive(s, 1 << 30)))
)");
  ASSERT_EQ(server.read_line(), "listening");
  Program client = worlds.client.python(R"(
s = socket.create_connection((THERE, 7000))
s.setblocking(False)
sent = 0
block = b'x' * (1 << 20)
while select.select([], [s], [], 0.5)[1]: sent += s.send(block)
say('blocked', sent < 64 << 20)
say(sent)
hear()
)");
  EXPECT_EQ(client.read_line(), "blocked True");
  const std::string sent = client.read_line();
  client.write_line("close");
  server.write_line("read");
  EXPECT_EQ(server.finish(), sent + "\n");
  EXPECT_EQ(client.finish(), "");
}

TEST(Transfer, ManySmallExchangesOnEdgeTriggeredEpoll) {
  Worlds worlds;
  Program server = worlds.server.python(R"(
l = socket.create_server(('0.0.0.0', 7000))
l.setblocking(False)
poll = select.epoll()
poll.register(l, select.EPOLLIN | select.EPOLLET)
say('listening')
clients = {}
closed = 0
while closed < 8:
    for fd, events in poll.poll():
        if fd == l.fileno():
            while True:
                try: s, _ = l.accept()
                except BlockingIOError: break
                s.setblocking(False)
                clients[s.fileno()] = s
                poll.register(s, select.EPOLLIN | select.EPOLLOUT | select.EPOLLRDHUP | select.EPOLLET)
        elif events & select.EPOLLIN:
            s = clients[fd]
            try:
                while data := s.recv(4096): s.send(data.upper())
                s.close(); closed += 1
            except BlockingIOError: pass
say('done')
)");
  ASSERT_EQ(server.read_line(), "listening");
  Program client = worlds.client.python(R"(
sockets = [socket.create_connection((THERE, 7000)) for _ in range(8)]
good = 0
for i in range(200):
    for n, s in enumerate(sockets):
        s.send(b'question %d of %d' % (i, n))
    for n, s in enumerate(sockets):
        good += s.recv(100) == b'QUESTION %d OF %d' % (i, n)
for s in sockets: s.close()
say(good)
)");
  EXPECT_EQ(client.finish(), "1600\n");
  EXPECT_EQ(server.finish(), "done\n");
}

TEST(Transfer, GoesOnThroughForkAndExec) {
  Worlds worlds;
  Program server = worlds.server.python(R"py(
l = socket.create_server(('0.0.0.0', 7000))
say('listening')
s, _ = l.accept()
if os.fork() == 0:
    os.dup2(s.fileno(), 0); os.dup2(s.fileno(), 1)
    os.execvp('sh', ['sh', '-c', 'read line; echo "got $line"; exec python3 -c "' +
        'import socket; s = socket.socket(fileno=0); print(s.getsockname()[1], s.getpeername()[0], flush=True)"'])
s.close(); l.close()
os.wait()
say('over')
)py");
  ASSERT_EQ(server.read_line(), "listening");
  Program client = worlds.client.python(R"(
s = socket.create_connection((THERE, 7000))
s.sendall(b'hello\n')
say(receive(s, 1000))
)");
  EXPECT_EQ(client.finish(), "b'got hello\\n7000 192.0.2.1\\n'\n");
  EXPECT_EQ(server.finish(), "over\n");
}

TEST(Transfer, CarriesIpv6AndShowsIpv4MappedOnADualSocket) {
  Worlds worlds;
  Program server = worlds.server.python(R"(
l = socket.create_server(('::', 7000), family=socket.AF_INET6, dualstack_ipv6=True)
say('listening')
for _ in range(2):
    s, peer = l.accept()
    say(peer[0], s.getsockname()[0], s.family == socket.AF_INET6)
)");
  ASSERT_EQ(server.read_line(), "listening");
  EXPECT_EQ(worlds.client.python("socket.create_connection(('2001:db8::2', 7000))").finish(), "");
  EXPECT_EQ(server.read_line(), "2001:db8::1 2001:db8::2 True");
  EXPECT_EQ(worlds.client.python("socket.create_connection((THERE, 7000))").finish(), "");
  EXPECT_EQ(server.read_line(), "::ffff:192.0.2.1 ::ffff:192.0.2.2 True");
}

// Hundreds at once, of all sizes, in both directions, half of them half-closed early.
TEST(Transfer, ManyConnectionsAtOnce) {
  Worlds worlds;
  Program server = worlds.server.python(R"(
import asyncio
async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()
async def main():
    server = await asyncio.start_server(echo, '0.0.0.0', 7000, backlog=1000)
    say('listening')
    await server.serve_forever()
asyncio.run(main())
)");
  ASSERT_EQ(server.read_line(), "listening");
  Program client = worlds.client.python(R"(
import asyncio, random
random.seed(1)
async def one(n):
    reader, writer = await asyncio.open_connection(THERE, 7000)
    data = random.randbytes(random.choice([1, 100, 5000, 70000, 400000]))
    async def send():
        for at in range(0, len(data), 10000):
            writer.write(data[at:at + 10000])
            await writer.drain()
        writer.write_eof()
    sending = asyncio.create_task(send())
    back = await reader.read(-1)
    await sending
    writer.close()
    return back == data
async def main():
    results = await asyncio.gather(*(one(n) for n in range(300)))
    say(sum(results))
asyncio.run(main())
)");
  EXPECT_EQ(client.finish(), "300\n");
  size_t sockets = 0;
  worlds.client.inside([&](SocketService& service, host::Host&) { sockets = service.socket_count(); });
  EXPECT_EQ(sockets, 0u);
}

TEST(Transfer, ThreadsShareTheLibrary) {
  Worlds worlds;
  Program server = worlds.server.python(R"(
import threading
l = socket.create_server(('0.0.0.0', 7000), backlog=100)
def serve():
    while True:
        s, _ = l.accept()
        s.sendall(receive(s, 1000))
        s.close()
for _ in range(4): threading.Thread(target=serve, daemon=True).start()
say('listening')
hear()
os._exit(0)
)");
  ASSERT_EQ(server.read_line(), "listening");
  Program client = worlds.client.python(R"(
import threading
good = []
def work(n):
    for i in range(25):
        s = socket.socket()
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        s.connect((THERE, 7000))
        port = s.getpeername()[1]
        s.sendall(b'%d of %d' % (i, n)); s.shutdown(socket.SHUT_WR)
        good.append(receive(s, 100) == b'%d of %d' % (i, n) and port == 7000)
        s.close()
threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
for t in threads: t.start()
for t in threads: t.join()
say(sum(good))
)");
  EXPECT_EQ(client.finish(), "200\n");
}

}  // namespace
}  // namespace braid::service
