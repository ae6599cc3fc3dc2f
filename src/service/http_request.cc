#include "service/http_request.h"

#include <fmt/format.h>

#include <algorithm>

namespace braid::service {

namespace {

constexpr std::string_view kTokenMarks = "!#$%&'*+-.^_`|~";  // RFC 9110, 5.6.2

bool is_token(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           kTokenMarks.find(c) != std::string_view::npos;
  });
}

bool is_visible(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c > ' ' && c < '\x7f'; });
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; });
  return out;
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

/// Without its end, which is CRLF, or LF alone (RFC 9112, 2.2); nothing is left of the text if it has none.
std::string_view take_line(std::string_view& text) {
  const size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

/// GET /metrics HTTP/1.1. The status.
int parse_request_line(std::string_view line, HttpRequest& request) {
  const size_t first = line.find(' '), last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return 400;
  const std::string_view method = line.substr(0, first), target = line.substr(first + 1, last - first - 1),
                         version = line.substr(last + 1);
  if (!is_token(method) || !is_visible(target)) return 400;
  if (version.size() != 8 || !version.starts_with("HTTP/") || version[6] != '.') return 400;
  if (version[5] != '1') return 505;
  request.method = method;
  request.target = target.substr(0, target.find('?'));
  request.keeps_alive = version[7] != '0';
  return 200;
}

int parse_header(std::string_view line, HttpRequest& request) {
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || !is_token(line.substr(0, colon))) return 400;
  const std::string name = lower(line.substr(0, colon)), value = lower(trim(line.substr(colon + 1)));
  if (std::ranges::any_of(value, [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == '\x7f'; }))
    return 400;
  if (name == "connection" && value.find("close") != std::string::npos) request.keeps_alive = false;
  if (name == "connection" && value.find("keep-alive") != std::string::npos) request.keeps_alive = true;
  if (name == "accept") request.accept = value;
  // A body would have to be passed over; nobody who wants a page has one.
  if (name == "transfer-encoding" || (name == "content-length" && value != "0")) return 413;
  return 200;
}

/// One past the empty line; npos: it is not there yet.
size_t end_of_head(std::string_view input) {
  for (size_t at = input.find('\n'); at != std::string_view::npos; at = input.find('\n', at + 1)) {
    const std::string_view rest = input.substr(at + 1);
    if (rest.starts_with('\n')) return at + 2;
    if (rest.starts_with("\r\n")) return at + 3;
  }
  return std::string_view::npos;
}

}  // namespace

HttpParsed parse_http_request(std::string_view input) {
  HttpParsed parsed;
  size_t blank = 0;  // lines before it, which a client may have left behind (RFC 9112, 2.2)
  while (blank < input.size() && (input[blank] == '\r' || input[blank] == '\n')) ++blank;
  const size_t end = end_of_head(input.substr(blank));
  if (end == std::string_view::npos || blank + end > kLongestHttpRequest) {
    if (input.size() > kLongestHttpRequest) parsed.status = 431;
    return parsed;
  }
  std::string_view head = input.substr(blank, end);
  parsed.size = blank + end;
  parsed.status = parse_request_line(take_line(head), parsed.request);
  while (parsed.status == 200 && !head.empty()) {
    const std::string_view line = take_line(head);
    if (line.empty()) break;
    parsed.status = parse_header(line, parsed.request);
  }
  return parsed;
}

std::string_view http_reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 400:
      return "Bad Request";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 431:
      return "Request Header Fields Too Large";
    case 503:
      return "Service Unavailable";
    case 505:
      return "HTTP Version Not Supported";
    default:
      return "";
  }
}

std::string format_http_answer(const HttpAnswer& answer, bool with_body, bool keeps_alive) {
  std::string out =
      fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\nConnection: {}\r\n",
                  answer.status, http_reason(answer.status), answer.content_type, answer.body.size(),
                  keeps_alive ? "keep-alive" : "close");
  if (!answer.allow.empty()) out += fmt::format("Allow: {}\r\n", answer.allow);
  out += "\r\n";
  if (with_body) out += answer.body;
  return out;
}

}  // namespace braid::service
