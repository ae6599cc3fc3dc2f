#include "service/metrics_service.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>

namespace braid::service {

namespace {

constexpr std::string_view kIndex =
    "<!DOCTYPE html><title>Braid</title><h1>Braid</h1><p><a href=\"/metrics\">Metrics</a>\n";

double seconds(const timeval& t) {
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
}

void add_process(MetricsInput& input) {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  input.cpu_s = seconds(usage.ru_utime) + seconds(usage.ru_stime);
  if (std::FILE* file = std::fopen("/proc/self/statm", "re")) {
    unsigned long long size = 0, resident = 0;
    if (std::fscanf(file, "%llu %llu", &size, &resident) == 2)
      input.resident_bytes = resident * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
    std::fclose(file);
  }
  std::error_code ignored;
  for (auto at = std::filesystem::directory_iterator("/proc/self/fd", ignored);
       at != std::filesystem::directory_iterator(); at.increment(ignored))
    ++input.open_descriptors;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) input.most_descriptors = limit.rlim_cur;
}

}  // namespace

MetricsService::MetricsService(io::EventLoop& loop, const MetricsSettings& settings,
                               std::function<MetricsInput()> collect)
    : loop_(loop),
      settings_(settings),
      collect_(std::move(collect)),
      start_unix_s_(
          std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count()),
      server_(loop, [this](const HttpRequest& request) { return answer(request); }) {}

io::Setup<void> MetricsService::listen() {
  const auto address = parse_http_address(settings_.listen);
  if (!address) return tl::unexpected(io::SetupError{"metrics: " + address.error()});
  return server_.listen(*address);
}

HttpAnswer MetricsService::answer(const HttpRequest& request) {
  if (request.target == "/") return {.content_type = "text/html; charset=utf-8", .body = std::string(kIndex)};
  if (request.target != "/metrics") return {.status = 404, .body = "there is only /metrics\n"};
  const MetricsFormat format = format_for(request.accept);
  return {.content_type = std::string(content_type_of(format)), .body = page(format)};
}

const std::string& MetricsService::page(MetricsFormat format) {
  Page& page = pages_[format];
  const Time now = loop_.now();
  if (page.made != kNever && now - page.made < kLongestAge) return page.text;
  MetricsInput input = collect_();
  input.start_unix_s = start_unix_s_;
  add_process(input);
  page = {metrics_page(input, settings_, format), now};
  return page.text;
}

}  // namespace braid::service
