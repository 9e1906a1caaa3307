#include "file_job.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "../sys/fd.h"

namespace jubako::copy {

namespace {

using archive::Sha256;
using archive::Text;

struct FileJob : Job {
  Shared* shared;
  Directory* directory;
  Record* record;  // null when copying
  Meta meta;
  uint64_t size;
  char name[256];  // in the source
  char target[256];
};

bool copy_contents(int from, int to, uint64_t size, char* buffer) {
  if (size > kBuffer) {
    for (;;) {
      ssize_t n = static_cast<ssize_t>(syscall(SYS_copy_file_range, from, nullptr, to, nullptr, size_t{1} << 30, 0));
      if (n == 0) return true;
      if (n < 0) {
        if (errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP) break;
        return false;
      }
    }
  }
  for (;;) {
    ssize_t n = read(from, buffer, kBuffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n == 0;
    for (ssize_t done = 0; done < n;) {
      ssize_t written = write(to, buffer + done, static_cast<size_t>(n - done));
      if (written < 0) return false;
      done += written;
    }
    if (static_cast<size_t>(n) < kBuffer && static_cast<uint64_t>(n) >= size) return true;
  }
}

void run_file(Job* base, char* buffer) {
  FileJob& job = *static_cast<FileJob*>(base);
  Shared& shared = *job.shared;
  const char* call = nullptr;
  if (!shared.failed()) {
    Fd from(openat(job.directory->source, job.name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
    struct stat now;
    if (!from || fstat(from.get(), &now) < 0) {
      call = "openat";
    } else if (!S_ISREG(now.st_mode)) {
      errno = ESTALE;
      call = "openat";
    } else if (job.record != nullptr) {
      Sha256 sha;
      ssize_t n;
      while ((n = read(from.get(), buffer, kBuffer)) > 0)
        sha.update(reinterpret_cast<uint8_t*>(buffer), static_cast<size_t>(n));
      if (n < 0) call = "read";
      sha.finish(job.record->contents);
    } else {
      Fd to(openat(job.directory->target, job.target, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
      if (!to)
        call = "openat";
      else if (!copy_contents(from.get(), to.get(), job.size, buffer))
        call = "write";
      else if (!apply(to.get(), job.meta, from.get(), shared.latest))
        call = "fchown";
    }
    if (call != nullptr) {
      int error = errno;
      Text entry;
      entry.assign(job.directory->path.view());
      if (!entry.empty()) entry.append("/");
      entry.append(job.name);
      shared.system(call, error, entry.view());
    }
  }
  release(job.directory, shared);
}

}  // namespace

void add_file(Pool& pool, Shared& shared, Directory* directory, const char* name, const char* target,
              const struct stat& info, const Meta& meta, Record* record) {
  FileJob* job = static_cast<FileJob*>(std::malloc(sizeof(FileJob)));
  if (job == nullptr) std::abort();
  job->run = run_file;
  job->shared = &shared;
  job->directory = directory;
  job->record = record;
  job->meta = meta;
  job->size = static_cast<uint64_t>(info.st_size);
  strncpy(job->name, name, sizeof job->name - 1);
  strncpy(job->target, target, sizeof job->target - 1);
  job->name[255] = job->target[255] = 0;
  directory->users.fetch_add(1);
  pool.add(job);
}

}  // namespace jubako::copy
