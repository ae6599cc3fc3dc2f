// Which epoll instances a socket was added to while it was still possible that another would take its place:
// dup3() over a registered descriptor loses the registration, so it has to be made again.
#pragma once

#include <sys/epoll.h>

#include <cstdint>

namespace braid::shim {

/// Notes what epoll_ctl() did, after it did it, with a Braid socket.
void note_registration(int epoll, int operation, int fd, const epoll_event& event, uint64_t socket);
/// Adds `fd` again wherever it was registered as `socket`. From now on it is `successor`; 0: no Braid socket.
void register_again(int fd, uint64_t socket, uint64_t successor);

}  // namespace braid::shim
