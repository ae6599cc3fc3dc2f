#include "lab/command.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "io/file_descriptor.h"

namespace braid::lab {

namespace {
std::string read_all(int fd) {
  std::string text;
  std::array<char, 4096> buffer;
  lseek(fd, 0, SEEK_SET);
  while (const ssize_t size = read(fd, buffer.data(), buffer.size())) {
    if (size < 0) break;
    text.append(buffer.data(), static_cast<size_t>(size));
  }
  return text;
}
}  // namespace

tl::expected<std::string, std::string> run_command(const std::vector<std::string>& command,
                                                   std::string_view input) {
  // Files in memory instead of pipes: nobody can wait for the other.
  const io::FileDescriptor in(memfd_create("input", MFD_CLOEXEC)), out(memfd_create("output", MFD_CLOEXEC));
  if (!in || !out || write(in.get(), input.data(), input.size()) != static_cast<ssize_t>(input.size()))
    return tl::unexpected(fmt::format("no memory for {}: {}", command[0], std::strerror(errno)));
  lseek(in.get(), 0, SEEK_SET);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.get(), STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out.get(), STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, out.get(), STDERR_FILENO);
  // Ctrl-C is the laboratory's business: what it runs to clean up must not die of it.
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  std::vector<char*> words;
  for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  pid_t pid = 0;
  const int error = posix_spawnp(&pid, words[0], &actions, &attributes, words.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0)
    return tl::unexpected(fmt::format("{} cannot be run: {}", command[0], std::strerror(error)));
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  std::string text = read_all(out.get());
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return text;
  while (text.ends_with('\n')) text.pop_back();
  return tl::unexpected(fmt::format("`{}` failed: {}", fmt::join(command, " "), text));
}

}  // namespace braid::lab
