#include "io/sysctl.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <string_view>

#include "io/file_descriptor.h"

namespace braid::io {

std::optional<std::string> read_sysctl(const std::string& path) {
  const FileDescriptor fd(open(("/proc/sys/" + path).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return {};
  std::string text;
  std::array<char, 65536> buffer;  // a list of ports comes in one read or not at all
  ssize_t size;
  while ((size = read(fd.get(), buffer.data(), buffer.size())) > 0) {
    text.append(buffer.data(), static_cast<size_t>(size));
  }
  if (size < 0) return {};
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

int write_sysctl(const std::string& path, const std::string& value) {
  const FileDescriptor fd(open(("/proc/sys/" + path).c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd) return errno;
  const std::string line = value + "\n";
  return write(fd.get(), line.data(), line.size()) == static_cast<ssize_t>(line.size()) ? 0 : errno;
}

std::set<uint16_t> parse_port_list(const std::string& text) {
  std::set<uint16_t> ports;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    uint16_t first = 0;
    auto [rest, error] = std::from_chars(at, end, first);
    if (error != std::errc()) {
      ++at;
      continue;
    }
    uint16_t last = first;
    if (rest < end && *rest == '-') rest = std::from_chars(rest + 1, end, last).ptr;
    for (uint32_t port = first; port <= last; ++port) ports.insert(static_cast<uint16_t>(port));
    at = rest;
  }
  return ports;
}

std::string format_port_list(const std::set<uint16_t>& ports) {
  std::string text;
  for (auto it = ports.begin(); it != ports.end();) {
    const uint16_t first = *it;
    uint16_t last = first;
    while (++it != ports.end() && *it == last + 1) last = *it;
    if (!text.empty()) text += ',';
    text += first == last ? fmt::format("{}", first) : fmt::format("{}-{}", first, last);
  }
  return text;
}

}  // namespace braid::io
