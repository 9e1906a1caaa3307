#include "survey.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <string>

#include "../sys/fd.h"
#include "../sys/files.h"

namespace jubako {

namespace {

DirectoryStamp stamp_of(int parent, const char* name) {
  struct stat info;
  if (fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) < 0) return {};
  return {info.st_mtim.tv_sec, info.st_mtim.tv_nsec, info.st_ino};
}

// Calls `each` with every name of kSurveyName bytes in a directory, and with the directory.
template <typename Each>
bool each_name(const char* path, Failure& f, Each each) {
  Fd fd(sys::open_file(path, O_RDONLY | O_DIRECTORY));
  if (!fd) return fail(f, errno, "open", path);
  int directory = fd.get();
  DIR* stream = fdopendir(directory);
  if (!stream) return fail(f, errno, "fdopendir", path);
  fd.release();
  errno = 0;
  while (const dirent* entry = readdir(stream)) {
    if (strlen(entry->d_name) == kSurveyName) each(directory, entry->d_name);
    errno = 0;
  }
  int error = errno;
  closedir(stream);
  return error == 0 || fail(f, error, "getdents64", path);
}

bool is_locked_below(int parent, const char* name) {
  char path[kSurveyName + sizeof "/lock"];
  memcpy(path, name, kSurveyName);
  memcpy(path + kSurveyName, "/lock", sizeof "/lock");
  Fd fd(openat(parent, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return fd && fcntl(fd.get(), F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

}  // namespace

bool survey(const char* records, const char* runs, std::vector<SurveyEntry>& entries, Failure& f) {
  // Most do not run: one look at the names costs less than a question about each.
  std::vector<std::string> up;
  Failure missing;
  if (!each_name(runs, missing, [&](int, const char* name) { up.emplace_back(name); }) && missing.errnum != ENOENT) {
    f = missing;
    return false;
  }
  std::sort(up.begin(), up.end());
  Fd running(up.empty() ? -1 : sys::open_file(runs, O_PATH | O_DIRECTORY));
  return each_name(records, f, [&](int directory, const char* name) {
    SurveyEntry& entry = entries.emplace_back();
    memcpy(entry.name, name, kSurveyName);
    entry.record = stamp_of(directory, name);
    if (!running || !std::binary_search(up.begin(), up.end(), name)) return;
    // The lock last: what its holder wrote before it let go is then older than the stamps.
    entry.run = stamp_of(running.get(), name);
    entry.locked = is_locked_below(running.get(), name);
  });
}

}  // namespace jubako
