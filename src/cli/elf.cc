#include "cli/elf.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
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
// The linker of Go leaves a note with its name; gccgo, which uses the C library, does not.
bool has_go_note(int fd, const Elf64_Phdr& segment) {
  constexpr uint64_t kMostNotes = 4096;
  const uint64_t end = segment.p_offset + std::min<uint64_t>(segment.p_filesz, kMostNotes);
  for (uint64_t at = segment.p_offset; at + sizeof(Elf64_Nhdr) + 4 <= end;) {
    Elf64_Nhdr note{};
    std::array<char, 4> name{};
    if (!read_at(fd, note, at) || !read_at(fd, name, at + sizeof(note))) return false;
    if (note.n_namesz == name.size() && std::memcmp(name.data(), "Go\0\0", name.size()) == 0) return true;
    const auto padded = [](uint64_t size) { return (size + 3) & ~uint64_t{3}; };
    at += sizeof(note) + padded(note.n_namesz) + padded(note.n_descsz);
  }
  return false;
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
  bool is_dynamic = false;
  for (int i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr segment{};
    if (!read_at(fd.get(), segment, header.e_phoff + static_cast<uint64_t>(i) * header.e_phentsize)) break;
    if (segment.p_type == PT_NOTE && has_go_note(fd.get(), segment)) return Preload::kGo;
    is_dynamic = is_dynamic || segment.p_type == PT_INTERP;
  }
  return is_dynamic ? Preload::kWorks : Preload::kStatic;
}

}  // namespace braid::cli
