#include "mptcp/reassembly.h"

#include <algorithm>
#include <boost/intrusive/set.hpp>
#include <vector>

#include "base/check.h"
#include "mptcp/reassembly_run.h"

namespace braid::mptcp {

namespace {

namespace intrusive = boost::intrusive;

/// A run beyond a hole. Sorted by begin; batches never touch each other.
struct Batch
    : intrusive::set_base_hook<intrusive::optimize_size<true>, intrusive::link_mode<intrusive::normal_link>> {
  Run run;
};
struct BeginOf {
  using type = DataOffset;
  DataOffset operator()(const Batch& batch) const { return batch.run.begin; }
};
using BatchSet = intrusive::set<Batch, intrusive::key_of_value<BeginOf>>;

}  // namespace

struct Reassembly::State {
  explicit State(DataOffset first) : readable{.begin = first, .end = first, .head = 0, .tail = 0} {}
  ~State() {
    set.clear_and_dispose([](Batch* batch) { delete batch; });
  }

  RunStore store;
  Run readable;
  BatchSet set;
  std::vector<std::unique_ptr<Batch>> spare;  // so that holes, too, cost no allocation in steady state
  std::vector<Batch*> hints;                  // by subflow; nullptr: none
  uint64_t out_of_order_bytes = 0;
  Totals totals;

  Run& run_at(Batch* at) { return at == nullptr ? readable : at->run; }
  Batch* successor(Batch* at);
  Batch* search(DataOffset begin);
  Batch* locate(DataOffset begin, size_t hint);
  Batch* open_batch(DataOffset begin, Batch* before);
  void close_batch(Batch* batch, Batch* heir);
  bool can_afford(const Slice& slice, DataOffset limit);
  Batch* put(Batch* at, Slice piece, DataOffset begin);
};

/// "nullptr" stands for the readable run, which is before all batches.
Batch* Reassembly::State::successor(Batch* at) {
  auto next = at == nullptr ? set.begin() : std::next(set.iterator_to(*at));
  return next == set.end() ? nullptr : &*next;
}

/// The last batch that begins at or before `begin`; nullptr if only the readable run does.
Batch* Reassembly::State::search(DataOffset begin) {
  auto after = set.upper_bound(begin, [this](DataOffset a, DataOffset b) {
    ++totals.steps;
    return a < b;
  });
  return after == set.begin() ? nullptr : &*std::prev(after);
}

Batch* Reassembly::State::locate(DataOffset begin, size_t hint) {
  if (begin <= readable.end) {
    ++totals.in_order;
    return nullptr;
  }
  Batch* expected = hint < hints.size() ? hints[hint] : nullptr;
  if (expected != nullptr && expected->run.begin <= begin && begin <= expected->run.end) {
    ++totals.hint_hits;
    return expected;
  }
  // The hole of a subflow that went on elsewhere: right behind the last batch is the next likely place.
  ++totals.hint_misses;
  if (set.empty()) return nullptr;
  Batch* last = &*set.rbegin();
  ++totals.steps;
  return last->run.begin <= begin ? last : search(begin);
}

Batch* Reassembly::State::open_batch(DataOffset begin, Batch* before) {
  // Several paths leave holes in dozens, and now and then a few more than ever before: these find them here.
  constexpr size_t kAtOnce = 64;
  if (spare.empty()) {
    spare.reserve(set.size() + kAtOnce);  // all of them may lie there once
    for (size_t i = 0; i < kAtOnce; ++i) spare.push_back(std::make_unique<Batch>());
  }
  std::unique_ptr<Batch> batch = std::move(spare.back());
  spare.pop_back();
  batch->run = {.begin = begin, .end = begin, .head = 0, .tail = 0};
  auto position = before == nullptr ? set.end() : set.iterator_to(*before);
  return &*set.insert_before(position, *batch.release());
}

/// `heir` has what the batch had (nullptr: the readable run).
void Reassembly::State::close_batch(Batch* batch, Batch* heir) {
  std::replace(hints.begin(), hints.end(), batch, heir);
  set.erase(set.iterator_to(*batch));
  // Of a burst of losses on two fast paths, so that the next one finds them: some 40 KB.
  constexpr size_t kSpare = 512;
  if (spare.size() < kSpare)
    spare.emplace_back(batch);
  else
    delete batch;
}

/// Puts what fits in one gap behind `at`, and joins what then touches. Returns where the next octet belongs.
Batch* Reassembly::State::put(Batch* at, Slice piece, DataOffset begin) {
  Batch* next = successor(at);
  const size_t size = piece.size();
  if (run_at(at).end == begin) {
    store.append(run_at(at), std::move(piece));
  } else if (next != nullptr && next->run.begin == begin + size) {
    store.prepend(next->run, std::move(piece));  // keeps its place in the order
    out_of_order_bytes += size;
    return next;
  } else {
    at = open_batch(begin, next);
    store.append(at->run, std::move(piece));
  }
  if (at != nullptr) out_of_order_bytes += size;
  if (next != nullptr && next->run.begin == run_at(at).end) {
    if (at == nullptr) out_of_order_bytes -= next->run.size();
    store.splice(run_at(at), next->run);
    close_batch(next, at);
  }
  return at;
}

/// What a peer that sends crumbs can make us hold is bounded: when runs of crumbs hold more than four
/// windows, they are packed; where that does not help because holes are between, more of it is not taken.
bool Reassembly::State::can_afford(const Slice& slice, DataOffset limit) {
  constexpr uint64_t kSlack = 256u << 10;
  constexpr uint64_t kBatchCost = ChunkPool::kCapacities[0];
  constexpr uint64_t kLargestWindow = uint64_t{1} << 40;
  const uint64_t budget = 4 * std::min(limit - readable.begin, kLargestWindow) + kSlack;
  if (store.held_bytes() + slice.size() + set.size() * sizeof(Batch) <= budget) return true;
  const uint64_t packed_bytes = readable.size() + out_of_order_bytes + kBatchCost * set.size();
  if (store.held_bytes() < 2 * packed_bytes) return false;
  store.compact(readable);
  for (Batch& batch : set) store.compact(batch.run);
  return true;
}

Reassembly::Reassembly(DataOffset first) : state_(std::make_unique<State>(first)) {}
Reassembly::~Reassembly() = default;

DataOffset Reassembly::data_rcv_nxt() const { return state_->readable.end; }
DataOffset Reassembly::data_read() const { return state_->readable.begin; }
uint64_t Reassembly::readable_bytes() const { return state_->readable.size(); }
uint64_t Reassembly::out_of_order_bytes() const { return state_->out_of_order_bytes; }
size_t Reassembly::batches() const { return state_->set.size(); }
uint64_t Reassembly::held_bytes() const { return state_->store.held_bytes(); }
const Reassembly::Totals& Reassembly::totals() const {
  state_->totals.copied_bytes = state_->store.copied_bytes();
  return state_->totals;
}

uint64_t Reassembly::insert(DataOffset begin, Slice slice, DataOffset limit, size_t hint) {
  BRAID_CHECK(hint < kMaxHints);
  State& s = *state_;
  if (begin >= limit || slice.empty()) {
    s.totals.beyond_limit_bytes += slice.size();
    return 0;
  }
  if (slice.size() > limit - begin) {
    s.totals.beyond_limit_bytes += slice.size() - (limit - begin);
    slice.truncate(limit - begin);
  }

  Batch* at = s.locate(begin, hint);
  if (begin > s.readable.end && !s.can_afford(slice, limit)) {
    s.totals.refused_bytes += slice.size();
    return 0;
  }
  uint64_t inserted = 0;
  while (!slice.empty()) {
    const DataOffset known_end = s.run_at(at).end;
    if (begin < known_end) {
      const size_t known = std::min<uint64_t>(slice.size(), known_end - begin);
      s.totals.duplicate_bytes += known;
      slice.remove_prefix(known);
      begin += known;
      continue;
    }
    Batch* next = s.successor(at);
    const size_t gap =
        next == nullptr ? slice.size() : std::min<uint64_t>(slice.size(), next->run.begin - begin);
    if (gap == 0) {
      at = next;
      continue;
    }
    at = s.put(at, slice.sub(0, gap), begin);
    inserted += gap;
    slice.remove_prefix(gap);
    begin += gap;
  }
  s.totals.inserted_bytes += inserted;
  if (hint >= s.hints.size()) s.hints.resize(hint + 1, nullptr);
  s.hints[hint] = at;
  return inserted;
}

size_t Reassembly::read(std::span<std::byte> out) {
  const size_t n = peek(out);
  skip(n);
  return n;
}

size_t Reassembly::peek(std::span<std::byte> out) const {
  return state_->store.copy_out(state_->readable, out);
}

std::span<const std::byte> Reassembly::front() const {
  std::span<const std::byte> run;
  state_->store.slices_of(state_->readable, {&run, 1});
  return run;
}

size_t Reassembly::front(std::span<std::span<const std::byte>> runs) const {
  return state_->store.slices_of(state_->readable, runs);
}

void Reassembly::skip(uint64_t bytes) {
  State& s = *state_;
  s.store.drop_front(s.readable, std::min(bytes, s.readable.size()));
  if (s.readable.empty() && s.set.empty()) s.store.on_drained();
}

}  // namespace braid::mptcp
