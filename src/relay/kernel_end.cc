#include "relay/kernel_end.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "io/socket_address.h"

namespace braid::relay {

namespace {
// How much to read at once: the pool's chunk sizes; up a step when a read filled its chunk.
constexpr std::array<uint32_t, 4> kReadSizes = {2048, 16384, 69632, 262144};
constexpr size_t kRunsPerWrite = 64;

int take_error(int fd) {
  int error = 0;
  socklen_t size = sizeof(error);
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

}  // namespace

tl::expected<io::FileDescriptor, int> start_kernel_connect(const wire::Endpoint& remote) {
  io::FileDescriptor fd(socket(remote.address.is_v4() ? AF_INET : AF_INET6,
                               SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
  if (!fd) return tl::unexpected(errno);
  const int on = 1;  // whoever wrote the bytes decided when they go
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  const io::KernelAddress address = io::to_kernel_address(remote);
  if (connect(fd.get(), address.get(), address.size) != 0 && errno != EINPROGRESS) {
    return tl::unexpected(errno);
  }
  return fd;
}

KernelEnd::KernelEnd(io::EventLoop& loop, ChunkPool& pool, io::FileDescriptor fd)
    : loop_(loop), pool_(pool), fd_(std::move(fd)) {
  // Writable: when it is connected, at once if it is.
  loop_.add(fd_.get(), io::Interest::kReadWrite, [this](io::Readiness r) { on_ready(r); });
}

KernelEnd::~KernelEnd() { leave_loop(); }

void KernelEnd::leave_loop() {
  if (is_in_loop_) loop_.remove(fd_.get());
  is_in_loop_ = false;
}

void KernelEnd::on_ready(io::Readiness readiness) {
  if (!is_connected_) finish_connecting();
  // Either would be reported in every round. What is left to read is read when there is room for it.
  if (readiness.hung_up || readiness.failed) leave_loop();
  if (readiness.writable || readiness.hung_up || readiness.failed) is_full_ = false;
  if (is_connected_ && error_ == 0 && is_preamble_sent() && is_finishing_) finish();
  // A reset is noticed by reading, which comes to it after what arrived before.
  if (is_connected_ && error_ == 0) read_some();
  tell_change();
  update_interest();
}

void KernelEnd::finish_connecting() {
  if (const int error = take_error(fd_.get()); error != 0) return fail(error);
  sockaddr_storage peer{};
  socklen_t size = sizeof(peer);
  is_connected_ = getpeername(fd_.get(), reinterpret_cast<sockaddr*>(&peer), &size) == 0;
}

void KernelEnd::fail(int error) {
  if (error_ == 0) error_ = error;
  leave_loop();
}

void KernelEnd::read_some() {
  if (has_end_ || held_.size() != 0) return;
  ChunkRef chunk = pool_.allocate(kReadSizes[read_step_]);
  const size_t most = kReadSizes[read_step_];
  const ssize_t n = recv(fd_.get(), chunk->data(), most, MSG_DONTWAIT);
  if (n < 0) {
    if (errno != EAGAIN && errno != EINTR) fail(errno);
    return;
  }
  if (n == 0) {
    // A reset that was told to a write already looks like an end here.
    if (write_error_ != 0) return fail(write_error_);
    has_end_ = true;
    return;
  }
  const auto size = static_cast<size_t>(n);
  if (size == most && read_step_ + 1u < kReadSizes.size()) ++read_step_;
  if (size * 4 < most && read_step_ > 0) --read_step_;
  held_ = Slice(std::move(chunk), 0, size);
}

size_t KernelEnd::readable_runs(std::span<Bytes> runs) {
  if (is_connected_ && error_ == 0) read_some();
  if (held_.size() == 0) return 0;
  runs[0] = held_.bytes();
  return 1;
}

void KernelEnd::consume(size_t bytes) {
  held_ = bytes == held_.size() ? Slice() : held_.sub(bytes, held_.size() - bytes);
  update_interest();
}

bool KernelEnd::is_preamble_sent() {
  while (!preamble_.empty() && write_error_ == 0) {
    const ssize_t n = send(fd_.get(), preamble_.data(), preamble_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR) write_error_ = errno;
    if (n < 0) is_full_ = true;
    if (n < 0) return false;
    preamble_.erase(0, static_cast<size_t>(n));
  }
  return preamble_.empty();
}

size_t KernelEnd::write(std::span<const Bytes> runs) {
  if (!is_connected_ || error_ != 0 || is_finished_ || !is_preamble_sent()) return 0;
  size_t taken = 0;
  while (!is_full_ && write_error_ == 0 && !runs.empty()) {
    std::array<iovec, kRunsPerWrite> parts;
    const size_t count = std::min(runs.size(), parts.size());
    size_t offered = 0;
    for (size_t i = 0; i < count; ++i) {
      parts[i] = {const_cast<std::byte*>(runs[i].data()), runs[i].size()};
      offered += runs[i].size();
    }
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = count;
    const ssize_t n = sendmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    // What it sent before it refused ours is still to be read.
    if (n < 0 && errno != EAGAIN) write_error_ = errno;
    if (n > 0) taken += static_cast<size_t>(n);
    if (n < 0 || static_cast<size_t>(n) < offered) is_full_ = true;
    runs = runs.subspan(count);
  }
  update_interest();
  return taken;
}

void KernelEnd::finish() {
  is_finishing_ = true;
  if (is_finished_ || !is_connected_ || error_ != 0 || !preamble_.empty()) return;
  is_finished_ = true;
  shutdown(fd_.get(), SHUT_WR);
}

void KernelEnd::close() {
  leave_loop();
  fd_.reset();
}

void KernelEnd::reset() {
  leave_loop();
  const linger abortive{.l_onoff = 1, .l_linger = 0};
  if (fd_) setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &abortive, sizeof(abortive));
  fd_.reset();
}

void KernelEnd::update_interest() {
  if (!is_in_loop_) return;
  const bool wants_read = is_connected_ && !has_end_ && held_.size() == 0;
  const bool wants_write = !is_connected_ || (is_full_ && write_error_ == 0);
  loop_.modify(fd_.get(), wants_read    ? wants_write ? io::Interest::kReadWrite : io::Interest::kRead
                          : wants_write ? io::Interest::kWrite
                                        : io::Interest::kNone);
}

}  // namespace braid::relay
