// A double-ended queue in one block: grows by doubling, never shrinks, so steady push and pop allocate
// nothing (std::deque allocates a block every few elements).
#pragma once

#include <cstddef>
#include <new>
#include <utility>
#include <vector>

#include "base/check.h"

namespace braid {

/// T must be default-constructible and movable; popped elements are reset to T{}.
template <class T>
class Ring {
 public:
  bool empty() const { return size_ == 0; }
  size_t size() const { return size_; }

  T& operator[](size_t i) { return slots_[(head_ + i) & (slots_.size() - 1)]; }
  const T& operator[](size_t i) const { return slots_[(head_ + i) & (slots_.size() - 1)]; }
  T& front() { return (*this)[0]; }
  const T& front() const { return (*this)[0]; }
  T& back() { return (*this)[size_ - 1]; }
  const T& back() const { return (*this)[size_ - 1]; }

  T& push_back(T value) {
    if (size_ == slots_.size()) grow();
    T& slot = (*this)[size_];
    slot = std::move(value);
    ++size_;
    return slot;
  }
  T& push_front(T value) {
    if (size_ == slots_.size()) grow();
    head_ = (head_ + slots_.size() - 1) & (slots_.size() - 1);
    slots_[head_] = std::move(value);
    ++size_;
    return slots_[head_];
  }
  T pop_front() {
    BRAID_CHECK(size_ > 0);
    T value = std::exchange(slots_[head_], T{});
    // A short queue stays in the same few slots, which the cache holds, however long it once was.
    head_ = --size_ == 0 ? 0 : (head_ + 1) & (slots_.size() - 1);
    return value;
  }
  T pop_back() {
    BRAID_CHECK(size_ > 0);
    --size_;
    return std::exchange((*this)[size_], T{});
  }
  void clear() {
    while (!empty()) pop_front();
  }

 private:
  void grow() {
    std::vector<T> larger(slots_.empty() ? 8 : slots_.size() * 2);
    for (size_t i = 0; i < size_; ++i) larger[i] = std::move((*this)[i]);
    slots_ = std::move(larger);
    head_ = 0;
  }
  std::vector<T> slots_;
  size_t head_ = 0;
  size_t size_ = 0;
};

}  // namespace braid
