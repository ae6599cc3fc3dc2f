#include "shim/known_sockets.h"

#include <atomic>

namespace braid::shim {

namespace {
constexpr unsigned kSlots = 1024;

// A slot is taken by whoever finds it free; who finds it busy does without (fork() may have copied it busy,
// a signal handler may have interrupted its holder: nobody ever waits).
struct Slot {
  std::atomic_flag is_busy = ATOMIC_FLAG_INIT;
  KnownSocket known;
};
Slot slots[kSlots];

template <class Use>
void with_slot(uint64_t socket, Use use) {
  Slot& slot = slots[socket % kSlots];
  if (slot.is_busy.test_and_set(std::memory_order_acquire)) return;
  use(slot.known);
  slot.is_busy.clear(std::memory_order_release);
}
}  // namespace

void remember(const KnownSocket& known) {
  with_slot(known.socket, [&](KnownSocket& place) { place = known; });
}

bool recall(uint64_t socket, KnownSocket& known) {
  bool is_known = false;
  with_slot(socket, [&](const KnownSocket& place) {
    is_known = place.socket == socket;
    if (is_known) known = place;
  });
  return is_known;
}

void forget(uint64_t socket) {
  with_slot(socket, [&](KnownSocket& place) {
    if (place.socket == socket) place = {};
  });
}

}  // namespace braid::shim
