// [metrics]: the page of metrics over HTTP.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "io/event_loop.h"
#include "io/setup_error.h"
#include "service/http_server.h"
#include "service/metrics_page.h"

namespace braid::service {

class MetricsService {
 public:
  /// What a page is as old as, at most: however often somebody asks, making them takes a bounded share of the
  /// time.
  static constexpr Duration kLongestAge = 250ms;

  /// `collect` gathers what the page is made of, the process's own figures apart.
  MetricsService(io::EventLoop& loop, const MetricsSettings& settings, std::function<MetricsInput()> collect);

  /// At settings.listen. The error is for people.
  io::Setup<void> listen();
  HttpAnswer answer(const HttpRequest& request);

 private:
  struct Page {
    std::string text;
    Time made = kNever;
  };
  const std::string& page(MetricsFormat format);

  io::EventLoop& loop_;
  MetricsSettings settings_;
  std::function<MetricsInput()> collect_;
  double start_unix_s_;
  std::map<MetricsFormat, Page> pages_;
  HttpServer server_;
};

}  // namespace braid::service
