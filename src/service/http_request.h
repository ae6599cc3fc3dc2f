// Just enough HTTP/1.1 (RFC 9112) for a page of metrics: requests without a body.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace braid::service {

struct HttpRequest {
  std::string method, target;  // the target without its query
  std::string accept;          // the header, in small letters; empty: none
  bool keeps_alive = false;    // the client wants to ask again on this connection
};

struct HttpParsed {
  /// 0: not all of it is here; 200: `request` is good; else the status to answer with, and then to close.
  int status = 0;
  HttpRequest request{};
  size_t size = 0;  // octets of the input that it took
};

inline constexpr size_t kLongestHttpRequest = 8192;

/// The request at the beginning of the input, which a client may have made up.
HttpParsed parse_http_request(std::string_view input);

struct HttpAnswer {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::string body{};
  std::string allow{};  // 405: the methods that there are
};

/// `with_body`: false for HEAD, whose Content-Length is that of the body all the same.
std::string format_http_answer(const HttpAnswer& answer, bool with_body, bool keeps_alive);
std::string_view http_reason(int status);

}  // namespace braid::service
