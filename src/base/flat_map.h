// A hash map in one block: open addressing with linear probing and backward-shift deletion, so there are no
// tombstones and no allocation but for growth. For look-ups that happen with every packet.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace braid {

/// Hash is a callable, uint64_t(const Key&), with good low bits, seeded by the owner where keys come from
/// peers. Key and Value are default-constructible and movable. Pointers to values are good until the next
/// insert or erase. The order of for_each is arbitrary: nothing that a peer can see may depend on it.
template <class Key, class Value, class Hash>
class FlatMap {
 public:
  explicit FlatMap(Hash hash) : hash_(std::move(hash)) {}

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

  Value* find(const Key& key) {
    const size_t i = index_of(key);
    return i == kAbsent ? nullptr : &slots_[i].value;
  }
  const Value* find(const Key& key) const {
    const size_t i = index_of(key);
    return i == kAbsent ? nullptr : &slots_[i].value;
  }
  bool contains(const Key& key) const { return index_of(key) != kAbsent; }

  /// False, and nothing changed, if the key is there already.
  bool insert(const Key& key, Value value) {
    if (contains(key)) return false;
    if ((size_ + 1) * 4 > slots_.size() * 3) grow();
    place(Slot{mark(hash_(key)), key, std::move(value)});
    ++size_;
    return true;
  }

  bool erase(const Key& key) {
    size_t hole = index_of(key);
    if (hole == kAbsent) return false;
    const size_t mask = slots_.size() - 1;
    for (size_t i = (hole + 1) & mask; slots_[i].hash != 0; i = (i + 1) & mask) {
      const size_t distance_from_home = (i - slots_[i].hash) & mask;
      if (distance_from_home < ((i - hole) & mask)) continue;  // it would land before its home
      slots_[hole] = std::move(slots_[i]);
      hole = i;
    }
    slots_[hole] = Slot{};
    --size_;
    return true;
  }

  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const Slot& slot : slots_) {
      if (slot.hash != 0) visit(slot.key, slot.value);
    }
  }

 private:
  static constexpr size_t kAbsent = SIZE_MAX;
  struct Slot {
    uint64_t hash = 0;  // 0: empty
    Key key{};
    Value value{};
  };
  static uint64_t mark(uint64_t hash) { return hash | (uint64_t{1} << 63); }

  size_t index_of(const Key& key) const {
    if (size_ == 0) return kAbsent;
    const uint64_t hash = mark(hash_(key));
    const size_t mask = slots_.size() - 1;
    for (size_t i = hash & mask; slots_[i].hash != 0; i = (i + 1) & mask) {
      if (slots_[i].hash == hash && slots_[i].key == key) return i;
    }
    return kAbsent;
  }
  void place(Slot slot) {
    const size_t mask = slots_.size() - 1;
    size_t i = slot.hash & mask;
    while (slots_[i].hash != 0) i = (i + 1) & mask;
    slots_[i] = std::move(slot);
  }
  void grow() {
    std::vector<Slot> old(slots_.empty() ? 16 : slots_.size() * 2);
    std::swap(old, slots_);
    for (Slot& slot : old) {
      if (slot.hash != 0) place(std::move(slot));
    }
  }

  Hash hash_;
  std::vector<Slot> slots_;
  size_t size_ = 0;
};

}  // namespace braid
