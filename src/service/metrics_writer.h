// Writes metrics in Prometheus' text format 0.0.4, or as OpenMetrics 1.0: the same lines but for the names of
// counters in HELP and TYPE, and the end.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace braid::service {

enum class MetricsFormat : uint8_t { kText, kOpenMetrics };
/// The Content-Type.
std::string_view content_type_of(MetricsFormat format);
/// What an Accept header (in small letters) asks for.
MetricsFormat format_for(std::string_view accept);

class MetricsWriter {
 public:
  using Labels = std::vector<std::pair<std::string_view, std::string>>;

  explicit MetricsWriter(MetricsFormat format) : format_(format) {}

  /// A family begins; its samples follow. A counter's name goes without "_total".
  void begin_counter(std::string_view name, std::string_view help) { begin(name, help, true); }
  void begin_gauge(std::string_view name, std::string_view help) { begin(name, help, false); }
  void add(uint64_t value, const Labels& labels = {});
  void add(double value, const Labels& labels = {});
  /// The page; nothing may be added afterwards.
  std::string finish();

 private:
  void begin(std::string_view name, std::string_view help, bool is_counter);
  void add_text(std::string_view value, const Labels& labels);
  MetricsFormat format_;
  std::string out_, sample_name_;
};

}  // namespace braid::service
