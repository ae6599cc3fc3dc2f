#include "scenario/link_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

namespace braid::scenario {

namespace {

using config::TomlErrors;
using config::TomlTable;

constexpr Duration kShortestRoundTrip = 10ms;  // for the default queue of links without delay

double rate_of(const sim::LinkConfig& link) {
  return link.trace != nullptr ? link.trace->mean_bits_per_second()
                               : static_cast<double>(link.bits_per_second);
}

/// "50 KB", "100 packets", "80 ms" (at the link's rate), or a number of bytes.
void read_limit(TomlTable& table, std::string_view key, sim::LinkConfig& link) {
  const toml::node* node = table.read_any(key);
  if (node == nullptr) return;
  const auto fail = [&] {
    table.complain(key, "expected a limit: \"50 KB\", \"100 packets\" or \"80 ms\" (at the link's rate)");
  };
  if (const auto bytes = node->value_exact<int64_t>(); bytes && *bytes > 0) {
    link.queue.limit_bytes = static_cast<uint64_t>(*bytes);
    link.queue.limit_packets = 0;
    return;
  }
  const auto text = node->value_exact<std::string>();
  if (!text) return fail();
  double number = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  std::string_view unit(end, static_cast<size_t>(text->data() + text->size() - end));
  while (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);
  if (error != std::errc() || number <= 0) return fail();
  link.queue.limit_bytes = 0;
  link.queue.limit_packets = 0;
  if (unit == "packets" || unit == "packet") {
    link.queue.limit_packets = static_cast<uint32_t>(number);
  } else if (unit == "ms" || unit == "s" || unit == "us") {
    const double seconds = number * (unit == "s" ? 1 : unit == "ms" ? 1e-3 : 1e-6);
    if (rate_of(link) == 0) return table.complain(key, "a queue in time needs a rate");
    link.queue.limit_bytes = std::max<uint64_t>(static_cast<uint64_t>(seconds * rate_of(link) / 8), 1514);
  } else if (unit == "B" || unit == "KB" || unit == "kB" || unit == "MB" || unit == "KiB" || unit == "MiB") {
    const double factor = unit == "B"     ? 1
                          : unit == "MB"  ? 1e6
                          : unit == "KiB" ? 1024
                          : unit == "MiB" ? 1 << 20
                                          : 1e3;
    link.queue.limit_bytes = static_cast<uint64_t>(number * factor);
  } else {
    fail();
  }
}

void read_trace(TomlTable& table, const std::filesystem::path& directory, sim::LinkConfig& link) {
  std::string name;
  table.read("trace", name);
  if (name.empty()) return;
  std::ifstream file(directory / name);
  if (!file) return table.complain("trace", fmt::format("{} cannot be read", (directory / name).string()));
  std::ostringstream text;
  text << file.rdbuf();
  auto trace = sim::RateTrace::parse(text.str());
  if (!trace) return table.complain("trace", fmt::format("{}: {}", name, trace.error()));
  link.trace = std::make_shared<const sim::RateTrace>(std::move(*trace));
}

void read_bursts(TomlTable& table, TomlErrors& errors, sim::LinkConfig& link) {
  const toml::table* found = table.read_table("bursts");
  if (found == nullptr) return;
  TomlTable bursts(found, "bursts", errors);
  sim::GilbertElliott& chain = link.bursts.emplace();
  bursts.read_number("to_bad", chain.to_bad, 0, 1);
  bursts.read_number("to_good", chain.to_good, 0, 1);
  bursts.read_number("loss_good", chain.loss_good, 0, 1);
  bursts.read_number("loss_bad", chain.loss_bad, 0, 1);
  bursts.refuse_others();
}

void read_direction(TomlTable& table, const std::filesystem::path& directory, TomlErrors& errors,
                    sim::LinkConfig& link) {
  table.read_rate("rate", link.bits_per_second);
  read_trace(table, directory, link);
  table.read_duration("delay", link.delay);
  table.read_duration("jitter", link.jitter);
  std::string shape = link.jitter_shape == sim::JitterShape::kNormal ? "normal" : "uniform";
  table.read_choice("jitter_shape", shape, {"uniform", "normal"});
  link.jitter_shape = shape == "normal" ? sim::JitterShape::kNormal : sim::JitterShape::kUniform;
  table.read_number("loss", link.loss, 0, 1);
  table.read("drop_every", link.drop_every, 0, UINT32_MAX);
  read_bursts(table, errors, link);
  table.read_number("duplication", link.duplication, 0, 1);
  table.read_number("corruption", link.corruption, 0, 1);
  table.read_number("reordering", link.reordering, 0, 1);
  table.read_duration("reordering_delay", link.reordering_delay);
  table.read("mtu", link.mtu, 576, 65535);
  read_limit(table, "queue", link);
  table.read_choice("discipline", link.queue.discipline, sim::queue_disciplines());
  table.read("ecn", link.queue.is_marking);
  table.read_size("red_min", link.queue.red_min_bytes, 1, UINT32_MAX);
  table.read_size("red_max", link.queue.red_max_bytes, 1, UINT32_MAX);
  table.read_number("red_probability", link.queue.red_max_probability, 0, 1);
  table.read_duration("codel_target", link.queue.codel_target);
  table.read_duration("codel_interval", link.queue.codel_interval);
}

}  // namespace

void read_link_behaviour(TomlTable& table, const std::filesystem::path& directory, TomlErrors& errors,
                         std::array<sim::LinkConfig, 2>& directions) {
  for (sim::LinkConfig& link : directions) read_direction(table, directory, errors, link);
  constexpr std::array<std::string_view, 2> kNames = {"forward", "backward"};
  for (size_t i = 0; i < 2; ++i) {
    const toml::table* found = table.read_table(kNames[i]);
    if (found == nullptr) continue;
    TomlTable one(found, std::string(kNames[i]), errors);
    read_direction(one, directory, errors, directions[i]);
    one.refuse_others();
  }
}

void choose_queue(sim::LinkConfig& link) {
  if (link.queue.limit_bytes != 0 || link.queue.limit_packets != 0) return;
  const double round_trip =
      std::chrono::duration<double>(std::max<Duration>(2 * link.delay, kShortestRoundTrip)).count();
  link.queue.limit_bytes =
      std::max<uint64_t>(static_cast<uint64_t>(rate_of(link) / 8 * round_trip), 10 * 1514);
}

}  // namespace braid::scenario
