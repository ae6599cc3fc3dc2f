// Runs the cases, each in a process of its own, some at a time, and prints one line of JSON for each.
//   socket_semantics PUPPET_ADDRESS PUPPET_PORT kernel|braid [CASE...]
//   socket_semantics --list
//   socket_semantics --child FD      echoes on an inherited descriptor; what exec and posix_spawn start
#include <arpa/inet.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

#include "semantics/semantics.h"

namespace semantics {

namespace {
sockaddr_in puppet{};
bool on_braid = false;
std::string path;
constexpr unsigned kPatience = 30, kAtOnce = 6;

std::vector<Case>& registered() {
  static std::vector<Case> cases;
  return cases;
}
}  // namespace

Case::Case(const char* case_name, void (*function)()) : name(case_name), run(function) {
  registered().push_back(*this);
}

const std::vector<Case>& all_cases() { return registered(); }
bool is_on_braid() { return on_braid; }
const std::string& own_path() { return path; }
std::string name_of(int error) { return error == 0 ? "" : strerrorname_np(error); }

void fail(const char* file, int line, const std::string& what) {
  const char* slash = strrchr(file, '/');
  dprintf(STDERR_FILENO, "%s:%d: %s\n", slash != nullptr ? slash + 1 : file, line, what.c_str());
  _exit(1);
}

// ---- the peer

Peer::Peer() {
  control_ = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(::connect(control_, reinterpret_cast<sockaddr*>(&puppet), sizeof(puppet)) == 0);
  port_ = static_cast<uint16_t>(std::stoi(read_line()));
}

std::string Peer::read_line() {
  size_t end;
  while ((end = text_.find('\n')) == std::string::npos) {
    char buffer[256];
    ssize_t n;
    do n = read(control_, buffer, sizeof(buffer));
    while (n < 0 && errno == EINTR);
    CHECK(n > 0);
    text_.append(buffer, static_cast<size_t>(n));
  }
  const std::string line = text_.substr(0, end);
  text_.erase(0, end + 1);
  return line;
}

std::string Peer::ask(const std::string& command) {
  const std::string line = command + "\n";
  CHECK(write(control_, line.data(), line.size()) == static_cast<ssize_t>(line.size()));
  return read_line();
}

void Peer::does(const std::string& command, std::string_view answer) {
  const std::string said = ask(command);
  if (said != answer) fail("peer", 0, command + ": " + said + " and not " + std::string(answer));
}

int Peer::connect(int type_flags) {
  const int fd = socket(AF_INET, SOCK_STREAM | (type_flags & SOCK_CLOEXEC), 0);
  const sockaddr_in there = address();
  CHECK(::connect(fd, reinterpret_cast<const sockaddr*>(&there), sizeof(there)) == 0);
  does("accept");
  return fd;
}

sockaddr_in Peer::address(uint16_t port) const {
  sockaddr_in there = puppet;
  there.sin_port = htons(port);
  return there;
}

sockaddr_in Peer::silent() const { return address(static_cast<uint16_t>(ntohs(puppet.sin_port) + 1)); }

namespace {

int echo(int fd) {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0 || address.sin_family != AF_INET)
    return 3;
  char buffer[4096];
  ssize_t n;
  while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
    if (write(fd, buffer, static_cast<size_t>(n)) != n) return 4;
  }
  return n == 0 ? 0 : 5;
}

struct Running {
  const Case* which;
  int output;
};

Running start(const Case& which, pid_t& pid) {
  int ends[2];
  if (pipe(ends) != 0) abort();
  pid = fork();
  if (pid == 0) {
    dup2(ends[1], STDERR_FILENO);  // where the reason goes
    close(ends[0]);
    close(ends[1]);
    alarm(kPatience);
    which.run();
    _exit(0);
  }
  close(ends[1]);
  return {&which, ends[0]};
}

bool report(const Running& done, int status) {
  char text[1000];
  ssize_t n = read(done.output, text, sizeof(text) - 1);
  close(done.output);
  std::string why(text, n > 0 ? static_cast<size_t>(n) : 0);
  if (WIFSIGNALED(status))
    why += WTERMSIG(status) == SIGALRM ? "it hangs" : std::string("killed by ") + strsignal(WTERMSIG(status));
  std::string quoted;
  for (const char c : why) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c == '\n' ? ' ' : c;
  }
  printf("{\"case\": \"%s\", \"ok\": %s, \"why\": \"%s\"}\n", done.which->name,
         status == 0 ? "true" : "false", quoted.c_str());
  fflush(stdout);
  return status == 0;
}

int run_cases(const std::vector<std::string>& only) {
  std::map<pid_t, Running> running;
  bool is_good = true;
  auto finish_one = [&] {
    int status = 0;
    const pid_t pid = wait(&status);
    const auto found = running.find(pid);
    if (found == running.end()) return;
    is_good &= report(found->second, status);
    running.erase(found);
  };
  for (const Case& which : all_cases()) {
    bool is_wanted = only.empty();
    for (const std::string& name : only) is_wanted |= name == which.name;
    if (!is_wanted) continue;
    while (running.size() >= kAtOnce) finish_one();
    pid_t pid = 0;
    const Running started = start(which, pid);
    running.emplace(pid, started);
  }
  while (!running.empty()) finish_one();
  return is_good ? 0 : 1;
}

}  // namespace

int run(int count, char** words) {
  path = words[0];
  const std::string first = count > 1 ? words[1] : "";
  if (first == "--child" && count == 3) return echo(atoi(words[2]));
  if (first == "--list") {
    for (const Case& which : all_cases()) puts(which.name);
    return 0;
  }
  if (count < 4 || inet_pton(AF_INET, words[1], &puppet.sin_addr) != 1) return 2;
  puppet.sin_family = AF_INET;
  puppet.sin_port = htons(static_cast<uint16_t>(atoi(words[2])));
  on_braid = strcmp(words[3], "braid") == 0;
  return run_cases({words + 4, words + count});
}

}  // namespace semantics

int main(int count, char** words) { return semantics::run(count, words); }
