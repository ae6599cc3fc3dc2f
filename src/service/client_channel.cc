#include "service/client_channel.h"

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace braid::service {

namespace {

constexpr int kRequestsPerTurn = 64;  // then another descriptor has its turn

// Whatever descriptors came are ours now, wanted or not.
void take_descriptors(msghdr& message, ReceivedRequest& request) {
  for (cmsghdr* header = CMSG_FIRSTHDR(&message); header != nullptr; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(header) + i * sizeof(int), sizeof(fd));
      io::FileDescriptor descriptor(fd);
      if (!request.socket) {
        request.socket = std::move(descriptor);
      } else if (!request.other) {
        request.other = std::move(descriptor);
      }
    }
  }
}

}  // namespace

ClientChannel::ClientChannel(io::EventLoop& loop, io::FileDescriptor fd, Hooks hooks)
    : loop_(loop), fd_(std::move(fd)), hooks_(std::move(hooks)) {
  ucred credentials{};
  socklen_t size = sizeof(credentials);
  if (getsockopt(fd_.get(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0) {
    pid_ = credentials.pid;
    uid_ = credentials.uid;
  }
  loop_.add(fd_.get(), io::Interest::kRead, [this](io::Readiness) { process(); });
}

ClientChannel::~ClientChannel() { loop_.remove(fd_.get()); }

void ClientChannel::process() {
  if (is_processing_) return;
  is_processing_ = true;
  for (int left = kRequestsPerTurn; left > 0 && !is_closed_ && receive_one(); --left) {
  }
  is_processing_ = false;
}

bool ClientChannel::receive_one() {
  ReceivedRequest request;
  std::array<std::byte, kMaxValue> value;
  std::array<iovec, 2> parts = {{{&request.header, sizeof(request.header)}, {value.data(), value.size()}}};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(2 * sizeof(int))> control;
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  const ssize_t n = recvmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return errno == EINTR;
  if (n >= 0) take_descriptors(message, request);
  const bool is_sound = n >= static_cast<ssize_t>(sizeof(Request)) && request.header.magic == kMagic &&
                        request.header.value_size <= kMaxValue &&
                        static_cast<size_t>(n) == sizeof(Request) + request.header.value_size &&
                        (message.msg_flags & MSG_TRUNC) == 0;
  if (!is_sound) {
    close();
    return false;
  }
  request.value = std::span(value).first(request.header.value_size);
  request.pid = pid_;
  request.uid = uid_;
  const Answer answer = hooks_.handle(request);
  if ((request.header.flags & kNoReply) == 0) reply(answer);
  return true;
}

// A process that does not read its replies is not waited for.
void ClientChannel::reply(const Answer& answer) {
  Reply header = answer.header;
  header.value_size = static_cast<uint32_t>(answer.value.size());
  std::array<iovec, 2> parts = {
      {{&header, sizeof(header)}, {const_cast<std::byte*>(answer.value.data()), answer.value.size()}}};
  msghdr message{};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  if (sendmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) close();
}

void ClientChannel::close() {
  if (is_closed_) return;
  is_closed_ = true;
  loop_.remove(fd_.get());
  fd_.reset();
  hooks_.on_closed(*this);
}

}  // namespace braid::service
