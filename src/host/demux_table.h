// From the four-tuple of a segment to the subflow it belongs to: the look-up that every packet makes.
#pragma once

#include "base/flat_map.h"
#include "base/random.h"
#include "mptcp/connection.h"
#include "wire/address.h"

namespace braid::host {

struct TupleHash {
  uint64_t seed = 0;
  uint64_t operator()(const wire::FourTuple& tuple) const { return wire::hash(tuple, seed); }
};

class DemuxTable {
 public:
  struct Entry {
    mptcp::Connection* connection = nullptr;
    tcp::Subflow* subflow = nullptr;
  };

  explicit DemuxTable(RandomSource& random) : entries_(TupleHash{random.next64()}) {}

  Entry* find(const wire::FourTuple& tuple) { return entries_.find(tuple); }
  bool contains(const wire::FourTuple& tuple) const { return entries_.contains(tuple); }
  bool insert(const wire::FourTuple& tuple, const Entry& entry) { return entries_.insert(tuple, entry); }
  bool erase(const wire::FourTuple& tuple) { return entries_.erase(tuple); }
  size_t size() const { return entries_.size(); }
  /// In arbitrary order.
  template <class Visit>
  void for_each(Visit&& visit) const {
    entries_.for_each([&](const wire::FourTuple&, const Entry& entry) { visit(entry); });
  }

 private:
  FlatMap<wire::FourTuple, Entry, TupleHash> entries_;
};

}  // namespace braid::host
