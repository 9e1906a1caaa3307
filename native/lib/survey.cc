#include "survey.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "../sys/fd.h"
#include "../sys/files.h"

namespace jubako {

namespace {

DirectoryStamp stamp_of(int parent, const char* name) {
  struct stat info;
  if (fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) < 0) return {};
  return {info.st_mtim.tv_sec, info.st_mtim.tv_nsec, info.st_ino};
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
  Fd below(sys::open_file(records, O_RDONLY | O_DIRECTORY));
  if (!below) return fail(f, errno, "open", records);
  Fd running(sys::open_file(runs, O_PATH | O_DIRECTORY));
  if (!running && errno != ENOENT) return fail(f, errno, "open", runs);
  int directory = below.get();
  DIR* stream = fdopendir(directory);
  if (!stream) return fail(f, errno, "fdopendir", records);
  below.release();
  errno = 0;
  while (const dirent* found = readdir(stream)) {
    if (strlen(found->d_name) != kSurveyName) continue;
    SurveyEntry& entry = entries.emplace_back();
    memcpy(entry.name, found->d_name, kSurveyName);
    entry.record = stamp_of(directory, found->d_name);
    // The lock last: what its holder wrote before it let go is then older than the stamps.
    if (running) entry.run = stamp_of(running.get(), found->d_name);
    entry.locked = entry.run.inode != 0 && is_locked_below(running.get(), found->d_name);
    errno = 0;
  }
  int error = errno;
  closedir(stream);
  return error == 0 || fail(f, error, "getdents64", records);
}

}  // namespace jubako
