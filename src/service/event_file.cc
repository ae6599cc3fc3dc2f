#include "service/event_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>

namespace braid::service {

tl::expected<std::unique_ptr<EventFile>, std::string> EventFile::open(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "ae");
  if (file == nullptr) return tl::unexpected(fmt::format("{}: {}", path, std::strerror(errno)));
  return std::unique_ptr<EventFile>(new EventFile(file));
}

EventFile::~EventFile() { std::fclose(file_); }

void EventFile::on_decision(const mptcp::Connection& connection, const mptcp::Decision& decision, Time now) {
  const double seconds = std::chrono::duration<double>(now.time_since_epoch()).count();
  fmt::print(file_, "{{\"time_s\":{:.9f},{}}}\n", seconds, to_json_members(connection, decision));
  // They are rare, and whoever looks wants the last one.
  std::fflush(file_);
}

}  // namespace braid::service
