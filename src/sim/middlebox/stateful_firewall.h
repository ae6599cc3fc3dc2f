// A firewall that follows connections and has its own idea of what belongs to them (NSDI 2012, 3.1, 3.3).
#pragma once

#include "sim/middlebox/flow_table.h"
#include "sim/middlebox/middlebox.h"

namespace braid::sim {

class StatefulFirewall final : public Middlebox {
 public:
  struct Config {
    bool requires_syn = true;           // a flow whose SYN it has not seen is dropped
    bool drops_unseen_acks = false;     // ACKs of data that have not passed here
    bool drops_after_hole = false;      // data that do not follow what has passed
    bool ignores_window_scale = false;  // windows are what the header says, and data beyond are dropped
  };
  explicit StatefulFirewall(const Config& config) : config_(config) {}
  std::string_view name() const override { return "stateful-firewall"; }
  void on_packet(Direction direction, Packet packet, MiddleboxOutput& output, Time now) override;

 private:
  /// What one end has sent.
  struct End {
    bool is_known = false;
    std::optional<Seq32> syn;  // the number of its SYN, if that has passed
    Seq32 next;                // after the highest octet that has passed
    Seq32 edge;                // acknowledgment plus window, unscaled: the other may send up to here
    bool has_edge = false;
  };
  struct Flow {
    bool has_syn = false;
    End ends[2];
  };
  static bool is_new_connection(const TcpPacket& packet, const End& own);
  bool is_allowed(const TcpPacket& packet, const End& own, const End& other) const;
  static void note(const TcpPacket& packet, End& own);

  Config config_;
  FlowTable<Flow> flows_;
};

}  // namespace braid::sim
