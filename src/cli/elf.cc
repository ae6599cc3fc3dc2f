#include "cli/elf.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <sstream>

#include "io/file_descriptor.h"

namespace braid::cli {

namespace {
template <class T>
bool read_at(int fd, T& out, uint64_t offset) {
  return pread(fd, &out, sizeof(out), static_cast<off_t>(offset)) == static_cast<ssize_t>(sizeof(out));
}

bool is_privileged(int fd) {
  struct stat status {};
  if (fstat(fd, &status) != 0) return false;
  // The loader asks whether it gains something: for root a set-user-ID root program does not.
  const bool changes_user = (status.st_mode & S_ISUID) != 0 && status.st_uid != getuid();
  const bool changes_group = (status.st_mode & S_ISGID) != 0 && status.st_gid != getgid();
  const bool has_capabilities = getuid() != 0 && fgetxattr(fd, "security.capability", nullptr, 0) > 0;
  return changes_user || changes_group || has_capabilities;
}
}  // namespace

std::string find_program(const std::string& program) {
  if (program.find('/') != std::string::npos) return program;
  const char* path = std::getenv("PATH");
  std::istringstream directories(path == nullptr ? "/usr/local/bin:/bin:/usr/bin" : path);
  std::string directory;
  while (std::getline(directories, directory, ':')) {
    std::string candidate = (directory.empty() ? "." : directory) + "/" + program;
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return {};
}

Preload preload_of(const std::string& program) {
  const io::FileDescriptor fd(open(find_program(program).c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return Preload::kUnknown;
  if (is_privileged(fd.get())) return Preload::kPrivileged;
  Elf64_Ehdr header{};
  if (!read_at(fd.get(), header, 0)) return Preload::kUnknown;
  if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return Preload::kUnknown;
  if (header.e_ident[EI_CLASS] != ELFCLASS64) return Preload::kUnknown;
  for (int i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment{};
    if (!read_at(fd.get(), segment, header.e_phoff + static_cast<uint64_t>(i) * header.e_phentsize)) break;
    if (segment.p_type == PT_INTERP) return Preload::kWorks;
  }
  return Preload::kStatic;
}

}  // namespace braid::cli
