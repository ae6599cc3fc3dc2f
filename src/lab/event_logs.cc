#include "lab/event_logs.h"

#include <algorithm>
#include <fstream>

namespace braid::lab {

namespace {
double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }
}  // namespace

void merge_event_logs(const std::vector<OwnLog>& logs, const scenario::Scenario& scenario, Time begin,
                      Time end, scenario::EventLog& merged) {
  struct Line {
    double time_s;
    const std::string* host;
    std::string members;
  };
  std::vector<Line> lines;
  for (const OwnLog& log : logs) {
    std::ifstream file(log.path);
    for (std::string line; std::getline(file, line);) {
      // {"time_s":SECONDS,MEMBERS}
      const size_t colon = line.find(':'), comma = line.find(',');
      if (comma == std::string::npos || !line.ends_with('}')) continue;
      const double time =
          std::stod(line.substr(colon + 1, comma - colon - 1)) - seconds(begin.time_since_epoch());
      lines.push_back({time, &log.host, line.substr(comma + 1, line.size() - comma - 2)});
    }
  }
  std::ranges::stable_sort(lines, {}, &Line::time_s);
  std::vector<scenario::EventSpec> events = scenario.events;
  std::ranges::stable_sort(events, {}, &scenario::EventSpec::at);
  auto event = events.begin();
  for (const Line& line : lines) {
    for (; event != events.end() && seconds(event->at.time_since_epoch()) <= line.time_s; ++event)
      merged.add(*event);
    merged.add(line.time_s, *line.host, line.members);
  }
  for (; event != events.end() && event->at < end; ++event) merged.add(*event);
}

}  // namespace braid::lab
