// A transparent proxy for one port. Modelled as what its two connections look like from outside when they are
// spliced: no option of the one reaches the other, each has sequence numbers of its own, data are
// acknowledged as soon as the proxy has them. On other ports packets just pass.
#pragma once

#include <memory>

#include "sim/middlebox/option_remover.h"
#include "sim/middlebox/proactive_acker.h"
#include "sim/middlebox/sequence_rewriter.h"

namespace braid::sim {

class HttpProxy final : public Middlebox {
 public:
  HttpProxy(uint16_t port, uint64_t seed);
  std::string_view name() const override { return "http-proxy"; }
  void on_packet(Direction direction, Packet packet, MiddleboxOutput& output, Time now) override;
  Time next_deadline() const override { return acker_.next_deadline(); }
  void on_timer(MiddleboxOutput& output, Time now) override;

 private:
  class Stage;
  void pass(size_t stage, Direction direction, Packet packet, MiddleboxOutput& output, Time now);
  Middlebox& stage(size_t index);

  uint16_t port_;
  OptionRemover remover_;
  ProactiveAcker acker_;
  SequenceRewriter rewriter_;
};

}  // namespace braid::sim
