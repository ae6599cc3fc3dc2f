#include "relay/relay_set.h"

namespace braid::relay {

RelaySet::~RelaySet() { loop_.cancel(sweep_); }

void RelaySet::add(std::unique_ptr<StreamEnd> first, std::unique_ptr<StreamEnd> second,
                   Relay::EndHandler on_end) {
  struct Handle {
    Relay* relay = nullptr;
  };
  const auto handle = std::make_shared<Handle>();
  auto made = std::make_unique<Relay>(std::move(first), std::move(second),
                                      [this, handle, on_end = std::move(on_end)](Relay::End how) {
                                        forget(handle->relay);
                                        if (on_end) on_end(how);
                                      });
  Relay* const relay = handle->relay = made.get();
  relays_.emplace(relay, std::move(made));
  relay->start();
}

void RelaySet::forget(const Relay* relay) {
  auto node = relays_.extract(relay);
  ended_.push_back(std::move(node.mapped()));
  if (sweep_ != 0) return;
  sweep_ = loop_.call_at(loop_.now(), [this] {
    sweep_ = 0;
    ended_.clear();
  });
}

}  // namespace braid::relay
