// Objects behind handles: an index and a generation, so that a stale handle never reaches another object.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace braid::host {

/// Id is an enum class over uint64_t whose 0 means none. Objects have stable addresses; a slot is used again,
/// under another generation.
template <class T, class Id>
class SlotTable {
 public:
  size_t size() const { return size_; }

  /// Takes the object in and tells its handle.
  Id insert(std::unique_ptr<T> object) {
    uint32_t index = 0;
    if (free_.empty()) {
      index = static_cast<uint32_t>(slots_.size());
      slots_.emplace_back();
    } else {
      index = free_.back();
      free_.pop_back();
    }
    Slot& slot = slots_[index];
    slot.object = std::move(object);
    ++size_;
    return Id{uint64_t{slot.generation} << 32 | (index + 1)};
  }
  T* find(Id id) const {
    const auto value = static_cast<uint64_t>(id);
    const uint64_t index = (value & UINT32_MAX) - 1;  // wraps for kNone: refused by the next line
    if (index >= slots_.size() || slots_[index].generation != value >> 32) return nullptr;
    return slots_[index].object.get();
  }
  /// The object leaves the table; destroyed when the result goes.
  std::unique_ptr<T> remove(Id id) {
    if (find(id) == nullptr) return nullptr;
    const auto index = static_cast<uint32_t>((static_cast<uint64_t>(id) & UINT32_MAX) - 1);
    ++slots_[index].generation;
    free_.push_back(index);
    --size_;
    return std::move(slots_[index].object);
  }
  /// In order of slots: the same for the same history. `visit` may not insert.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (const Slot& slot : slots_) {
      if (slot.object != nullptr) visit(*slot.object);
    }
  }
  void clear() {
    for (Slot& slot : slots_) slot.object.reset();
    slots_.clear();
    free_.clear();
    size_ = 0;
  }

 private:
  struct Slot {
    std::unique_ptr<T> object;
    uint32_t generation = 1;
  };
  std::vector<Slot> slots_;
  std::vector<uint32_t> free_;
  size_t size_ = 0;
};

}  // namespace braid::host
