#include "service/metrics_writer.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

namespace braid::service {

namespace {
/// In a label's value, and in help but for the quote, which the formats leave alone there.
std::string escape(std::string_view text, bool is_label) {
  std::string out;
  for (const char c : text) {
    if (c == '\\')
      out += "\\\\";
    else if (c == '\n')
      out += "\\n";
    else if (c == '"' && is_label)
      out += "\\\"";
    else
      out.push_back(c);
  }
  return out;
}
}  // namespace

std::string_view content_type_of(MetricsFormat format) {
  return format == MetricsFormat::kText ? "text/plain; version=0.0.4; charset=utf-8"
                                        : "application/openmetrics-text; version=1.0.0; charset=utf-8";
}

MetricsFormat format_for(std::string_view accept) {
  return accept.find("application/openmetrics-text") == std::string_view::npos ? MetricsFormat::kText
                                                                               : MetricsFormat::kOpenMetrics;
}

void MetricsWriter::begin(std::string_view name, std::string_view help, bool is_counter) {
  sample_name_ = std::string(name) + (is_counter ? "_total" : "");
  // OpenMetrics names the family, text format 0.0.4 the samples.
  const std::string_view family = format_ == MetricsFormat::kText ? std::string_view(sample_name_) : name;
  fmt::format_to(std::back_inserter(out_), "# HELP {} {}\n# TYPE {} {}\n", family,
                 escape(help, format_ == MetricsFormat::kOpenMetrics), family,
                 is_counter ? "counter" : "gauge");
}

void MetricsWriter::add_text(std::string_view value, const Labels& labels) {
  out_ += sample_name_;
  for (size_t i = 0; i < labels.size(); ++i)
    fmt::format_to(std::back_inserter(out_), "{}{}=\"{}\"", i == 0 ? "{" : ",", labels[i].first,
                   escape(labels[i].second, true));
  if (!labels.empty()) out_ += "}";
  fmt::format_to(std::back_inserter(out_), " {}\n", value);
}

void MetricsWriter::add(uint64_t value, const Labels& labels) { add_text(fmt::format("{}", value), labels); }

void MetricsWriter::add(double value, const Labels& labels) {
  add_text(std::isfinite(value) ? fmt::format("{}", value) : std::string("NaN"), labels);
}

std::string MetricsWriter::finish() {
  if (format_ == MetricsFormat::kOpenMetrics) out_ += "# EOF\n";
  return std::move(out_);
}

}  // namespace braid::service
