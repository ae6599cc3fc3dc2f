#include "service/accept_queue.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "service/address_conversion.h"

namespace braid::service {

namespace {
// What one queued record takes of the send buffer, as the kernel accounts it (an sk_buff and a small block).
constexpr uint32_t kRecordCost = 768;
constexpr uint32_t kMostQueued = 4096;
}  // namespace

AcceptQueue::AcceptQueue(io::LiveHost& live, io::FileDescriptor fd, Hooks hooks)
    : live_(live), fd_(std::move(fd)), hooks_(std::move(hooks)) {
  live_.loop().add(fd_.get(), io::Interest::kNone, [this](io::Readiness r) { on_ready(r); });
}

AcceptQueue::~AcceptQueue() {
  live_.loop().remove(fd_.get());
  for (const io::FileDescriptor& fd : kernel_listeners_) live_.loop().remove(fd.get());
  for (const host::ListenerId listener : listeners_) live_.host().close(listener, live_.now());
}

io::FileDescriptor AcceptQueue::take_descriptor() {
  live_.loop().remove(fd_.get());
  return std::move(fd_);
}

void AcceptQueue::add_kernel_listener(io::FileDescriptor fd) {
  live_.loop().add(fd.get(), io::Interest::kRead, [this](io::Readiness) {
    may_have_kernel_connections_ = true;
    push();
  });
  kernel_listeners_.push_back(std::move(fd));
}

// The send buffer's size is the queue's length.
void AcceptQueue::set_backlog(uint32_t backlog) {
  const uint32_t length = std::clamp(backlog, 6u, kMostQueued);
  const int bytes = static_cast<int>(length * kRecordCost / 2);  // the kernel doubles it
  if (setsockopt(fd_.get(), SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) != 0) {
    setsockopt(fd_.get(), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
  }
  for (const host::ListenerId listener : listeners_)
    live_.host().set_backlog(listener, std::max(backlog, 1u));
}

void AcceptQueue::on_ready(io::Readiness readiness) {
  if (readiness.hung_up) {
    live_.loop().remove(fd_.get());
    hooks_.on_closed();
    return;
  }
  set_full(false);
  push();
}

void AcceptQueue::push() {
  while (!is_full_) {
    if (!held_) held_ = next_offer();
    if (!held_) return;
    if (!send(*held_)) return set_full(true);
    held_.reset();
  }
}

std::optional<AcceptQueue::Offer> AcceptQueue::next_offer() {
  for (const host::ListenerId listener : listeners_) {
    for (;;) {
      const host::ConnectionId connection = live_.host().accept(listener);
      if (connection == host::ConnectionId::kNone) break;
      if (auto offer = hooks_.make_offer(connection)) return offer;
    }
  }
  return may_have_kernel_connections_ ? accept_from_kernel() : std::nullopt;
}

std::optional<AcceptQueue::Offer> AcceptQueue::accept_from_kernel() {
  for (const io::FileDescriptor& listener : kernel_listeners_) {
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    io::FileDescriptor fd(
        accept4(listener.get(), reinterpret_cast<sockaddr*>(&address), &size, SOCK_CLOEXEC));
    if (!fd) continue;
    Offer offer;
    offer.record.remote = to_socket_address(address);
    size = sizeof(address);
    getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
    offer.record.local = to_socket_address(address);
    offer.descriptor = std::move(fd);
    return offer;
  }
  may_have_kernel_connections_ = false;
  return std::nullopt;
}

bool AcceptQueue::send(const Offer& offer) {
  AcceptRecord record = offer.record;
  iovec part{&record, sizeof(record)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  const int fd = offer.descriptor.get();
  std::memcpy(CMSG_DATA(header), &fd, sizeof(fd));
  const ssize_t n = sendmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  // A listener that was shut down takes no more: what is offered is dropped, and so reset.
  return n > 0 || errno != EAGAIN;
}

// Full: the program's next accept() makes room, which epoll reports.
void AcceptQueue::set_full(bool is_full) {
  if (is_full_ == is_full) return;
  is_full_ = is_full;
  live_.loop().modify(fd_.get(), is_full ? io::Interest::kWrite : io::Interest::kNone);
  const auto interest = is_full ? io::Interest::kNone : io::Interest::kRead;
  for (const io::FileDescriptor& fd : kernel_listeners_) live_.loop().modify(fd.get(), interest);
}

}  // namespace braid::service
