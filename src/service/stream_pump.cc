#include "service/stream_pump.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace braid::service {

namespace {

// How much to read at once: the pool's chunk sizes. Goes up a step when a read filled its chunk, down when it
// left most of it empty.
constexpr std::array<uint32_t, 4> kReadSizes = {2048, 16384, 69632, 262144};
// With any room at all, that much is taken: the buffer's end is soft, and small reads are dear.
constexpr uint64_t kLeastTaken = 16384;
constexpr size_t kBytesPerTurn = 1u << 20;  // then another descriptor has its turn
constexpr size_t kRunsPerWrite = 64;

int take_socket_error(int fd) {
  int error = 0;
  socklen_t size = sizeof(error);
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

}  // namespace

StreamPump::StreamPump(io::LiveHost& live, io::FileDescriptor fd, host::ConnectionId connection,
                       EndHandler on_end)
    : live_(live), fd_(std::move(fd)), connection_(connection), on_end_(std::move(on_end)) {
  live_.loop().add(fd_.get(), io::Interest::kRead, [this](io::Readiness r) { on_ready(r); });
}

StreamPump::~StreamPump() { live_.loop().remove(fd_.get()); }

void StreamPump::on_ready(io::Readiness readiness) {
  if (readiness.writable) {
    is_program_full_ = false;
    to_program();
  }
  if (readiness.hung_up && !is_hung_up_) {
    // The hang-up would be reported in every round. From here on only the connection's room matters.
    is_hung_up_ = true;
    live_.loop().remove(fd_.get());
    if (take_socket_error(fd_.get()) == ECONNRESET) was_aborted_ = true;
  }
  from_program();
}

void StreamPump::from_program() {
  mptcp::Connection* connection = live_.host().find(connection_);
  is_connection_full_ = false;
  size_t left = kBytesPerTurn;
  while (connection != nullptr && !is_program_finished_ && !was_aborted_) {
    const uint32_t size = kReadSizes[read_step_];
    const Progress progress = read_once(*connection);
    if (progress == Progress::kEnd) is_program_finished_ = true;
    if (progress != Progress::kMore) break;
    // Out of epoll, nobody would call again.
    if (!is_hung_up_ && left < size) break;
    left -= std::min<size_t>(left, size);
  }
  if (is_program_finished_ && connection != nullptr && !is_hung_up_) {
    connection->shut_down_send(live_.now());
  }
  update_interest();
  finish_if_hung_up();
}

StreamPump::Progress StreamPump::read_once(mptcp::Connection& connection) {
  if (!connection.can_send()) return is_hung_up_ ? Progress::kEnd : Progress::kBlocked;
  const uint64_t room = connection.send_room_bytes();
  if (room == 0) {
    is_connection_full_ = true;
    return Progress::kBlocked;
  }
  ChunkPool& pool = live_.host().chunks();
  ChunkRef chunk = pool.allocate(kReadSizes[read_step_]);
  const size_t most = std::min<uint64_t>(chunk->capacity(), std::max(room, kLeastTaken));
  const ssize_t n = recv(fd_.get(), chunk->data(), most, MSG_DONTWAIT);
  if (n < 0) {
    // The error is told once, here or in on_ready(), whichever comes first; the hang-up itself is on its way.
    if (errno == ECONNRESET) was_aborted_ = true;
    return errno == EINTR ? Progress::kMore : Progress::kBlocked;
  }
  if (n == 0) return Progress::kEnd;
  const auto size = static_cast<size_t>(n);
  const bool is_whole = size == most;
  // A large chunk is not to be held for a few bytes until they are acknowledged.
  if (size * 4 <= chunk->capacity()) {
    connection.send(copy_to_slice(pool, {chunk->data(), size}), live_.now());
    if (read_step_ > 0) --read_step_;
  } else {
    connection.send(Slice(std::move(chunk), 0, size), live_.now());
    if (is_whole && read_step_ + 1u < kReadSizes.size()) ++read_step_;
  }
  // A short read left nothing behind; but of a program that has hung up the end is still to be read.
  return is_whole || is_hung_up_ ? Progress::kMore : Progress::kBlocked;
}

void StreamPump::to_program() {
  mptcp::Connection* connection = live_.host().find(connection_);
  if (connection == nullptr || is_program_full_ || is_hung_up_) return;
  std::array<std::span<const std::byte>, kRunsPerWrite> runs;
  std::array<iovec, kRunsPerWrite> parts;
  while (const size_t count = connection->readable_runs(runs)) {
    size_t total = 0;
    for (size_t i = 0; i < count; ++i) {
      parts[i] = {const_cast<std::byte*>(runs[i].data()), runs[i].size()};
      total += runs[i].size();
    }
    if (is_program_deaf_) {
      connection->consume(total, live_.now());
      continue;
    }
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = count;
    const ssize_t n = sendmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) connection->consume(static_cast<uint64_t>(n), live_.now());
    if (n >= 0 || errno == EINTR) continue;
    if (errno == EAGAIN) is_program_full_ = true;
    // Closed altogether: the hang-up is on its way, and the bytes count as unread.
    if (errno == EAGAIN || is_hung_up_now()) break;
    is_program_deaf_ = true;
  }
  if (!is_end_delivered_ && connection->is_end_of_stream()) {
    is_end_delivered_ = true;
    shutdown(fd_.get(), SHUT_WR);
  }
  update_interest();
}

bool StreamPump::is_hung_up_now() const {
  pollfd state{fd_.get(), 0, 0};
  return poll(&state, 1, 0) == 1 && (state.revents & POLLHUP) != 0;
}

void StreamPump::update_interest() {
  if (is_hung_up_) return;
  const bool wants_read = !is_program_finished_ && !is_connection_full_;
  live_.loop().modify(fd_.get(), wants_read
                                     ? is_program_full_ ? io::Interest::kReadWrite : io::Interest::kRead
                                 : is_program_full_ ? io::Interest::kWrite
                                                    : io::Interest::kNone);
}

void StreamPump::finish_if_hung_up() {
  if (!is_hung_up_ || on_end_ == nullptr) return;
  if (!was_aborted_ && !is_program_finished_) return;  // bytes wait for room in the connection
  const EndHandler on_end = std::move(on_end_);
  on_end_ = nullptr;
  on_end(was_aborted_ ? End::kAborted : End::kClosed);
}

}  // namespace braid::service
