#include "storage.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/sendfile.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "../lib/remove_tree.h"
#include "../lib/survey.h"
#include "../sys/failure.h"
#include "../sys/fd.h"
#include "../sys/files.h"
#include "task.h"

namespace jubako::napi {

namespace {

// Work that waits for the disk, on libuv's pool: it may take long, and the addon's own thread is for starting
// processes.
class DiskWork : public Napi::AsyncWorker {
 public:
  using Act = bool (*)(const std::string& path, int fd, Failure& f);

  DiskWork(Napi::Env env, Act act, std::string path, int fd)
      : AsyncWorker(env, "jubako:disk"),
        deferred_(Napi::Promise::Deferred::New(env)),
        act_(act),
        path_(std::move(path)),
        fd_(fd) {}

  Napi::Value start() {
    Napi::Value promise = deferred_.Promise();
    Queue();
    return promise;
  }

 private:
  void Execute() override { act_(path_, fd_, failure_); }
  void OnOK() override {
    Napi::HandleScope scope(Env());
    if (failure_.failed())
      deferred_.Reject(failure_object(Env(), failure_));
    else
      deferred_.Resolve(Env().Undefined());
  }

  Napi::Promise::Deferred deferred_;
  Act act_;
  std::string path_;
  int fd_;
  Failure failure_;
};

// survey(records: string, runs: string) -> { names: string[], values: Float64Array }: seven values each, three of the
// record's stamp, three of the run's, and whether its lock is held.
Napi::Value survey_containers(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::string records = info[0].As<Napi::String>();
  std::string runs = info[1].As<Napi::String>();
  std::vector<SurveyEntry> entries;
  Failure failure;
  if (!survey(records.c_str(), runs.c_str(), entries, failure)) {
    napi_throw(env, failure_object(env, failure));
    return env.Undefined();
  }
  Napi::Array names = Napi::Array::New(env, entries.size());
  Napi::Float64Array values = Napi::Float64Array::New(env, entries.size() * 7);
  double* to = values.Data();
  for (size_t i = 0; i < entries.size(); i++) {
    const SurveyEntry& entry = entries[i];
    names.Set(static_cast<uint32_t>(i), Napi::String::New(env, entry.name, kSurveyName));
    for (const DirectoryStamp& stamp : {entry.record, entry.run}) {
      *to++ = static_cast<double>(stamp.seconds);
      *to++ = static_cast<double>(stamp.nanoseconds);
      *to++ = static_cast<double>(stamp.inode);
    }
    *to++ = entry.locked ? 1 : 0;
  }
  Napi::Object found = Napi::Object::New(env);
  found.Set("names", names);
  found.Set("values", values);
  return found;
}

// readText(path: string) -> string | number: a file of the engine's own or of the kernel's; the errno if it cannot be
// read.
Napi::Value read_text(const Napi::CallbackInfo& info) {
  Napi::Env env = info.Env();
  std::string path = info[0].As<Napi::String>();
  Fd fd(sys::open_file(path.c_str(), O_RDONLY | O_NOFOLLOW));
  if (!fd) return Napi::Number::New(env, errno);
  char first[8192];
  std::string rest;
  ssize_t n = read(fd.get(), first, sizeof first);
  if (n < 0) return Napi::Number::New(env, errno);
  // cgroupfs gives no sizes, and less than was asked for before the end.
  char more[8192];
  for (ssize_t got; (got = read(fd.get(), more, sizeof more)) != 0;) {
    if (got < 0) return Napi::Number::New(env, errno);
    if (rest.empty()) rest.assign(first, static_cast<size_t>(n));
    rest.append(more, static_cast<size_t>(got));
  }
  if (rest.empty()) return Napi::String::New(env, first, static_cast<size_t>(n));
  return Napi::String::New(env, rest);
}

// tryFlock(fd: number, exclusive: boolean) -> errno; 0 when the lock was taken. Does not wait.
Napi::Value try_flock(const Napi::CallbackInfo& info) {
  int fd = info[0].As<Napi::Number>().Int32Value();
  int mode = info[1].As<Napi::Boolean>().Value() ? LOCK_EX : LOCK_SH;
  int result;
  do result = flock(fd, mode | LOCK_NB);
  while (result < 0 && errno == EINTR);
  return Napi::Number::New(info.Env(), result < 0 ? errno : 0);
}

// renameNoReplace(from: string, to: string) -> errno
Napi::Value rename_no_replace(const Napi::CallbackInfo& info) {
  std::string from = info[0].As<Napi::String>(), to = info[1].As<Napi::String>();
  int result = renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE);
  return Napi::Number::New(info.Env(), result < 0 ? errno : 0);
}

// renameExchange(a: string, b: string) -> errno
Napi::Value rename_exchange(const Napi::CallbackInfo& info) {
  std::string a = info[0].As<Napi::String>(), b = info[1].As<Napi::String>();
  int result = renameat2(AT_FDCWD, a.c_str(), AT_FDCWD, b.c_str(), RENAME_EXCHANGE);
  return Napi::Number::New(info.Env(), result < 0 ? errno : 0);
}

// hasOpaqueMark(fd: number) -> boolean: whether overlay hides what lower layers have in this directory.
Napi::Value has_opaque_mark(const Napi::CallbackInfo& info) {
  char value[8];
  int fd = info[0].As<Napi::Number>().Int32Value();
  ssize_t size = fgetxattr(fd, "trusted.overlay.opaque", value, sizeof value);
  return Napi::Boolean::New(info.Env(), size == 1 && value[0] == 'y');
}

// syncFileSystem(fd: number) -> Promise<void>; the descriptor stays open until it settles.
Napi::Value sync_file_system(const Napi::CallbackInfo& info) {
  auto act = [](const std::string&, int fd, Failure& f) { return syncfs(fd) == 0 || fail(f, errno, "syncfs"); };
  return (new DiskWork(info.Env(), act, {}, info[0].As<Napi::Number>().Int32Value()))->start();
}

// removeTree(path: string) -> Promise<void>
Napi::Value remove_tree_async(const Napi::CallbackInfo& info) {
  auto act = [](const std::string& path, int, Failure& f) { return remove_tree(path.c_str(), f); };
  return (new DiskWork(info.Env(), act, info[0].As<Napi::String>(), -1))->start();
}

// What sendfile(2) moves from a file to a socket that does not wait, on libuv's pool: the file may have to be read from
// its disk. The socket is duplicated first: its owner may close it meanwhile, and another one get its number.
class FileToSocket : public Napi::AsyncWorker {
 public:
  FileToSocket(Napi::Env env, int socket, int file, int64_t offset, int64_t count)
      : AsyncWorker(env, "jubako:sendfile"),
        deferred_(Napi::Promise::Deferred::New(env)),
        socket_(fcntl(socket, F_DUPFD_CLOEXEC, 0)),
        file_(file),
        offset_(offset),
        count_(count) {}
  ~FileToSocket() override {
    if (socket_ >= 0) close(socket_);
  }

  Napi::Value start() {
    Napi::Value promise = deferred_.Promise();
    Queue();
    return promise;
  }

 private:
  void Execute() override {
    off_t at = offset_;
    while (sent_ < count_) {
      ssize_t n = sendfile(socket_, file_, &at, static_cast<size_t>(count_ - sent_));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;
      sent_ += n;
    }
  }
  void OnOK() override {
    Napi::HandleScope scope(Env());
    deferred_.Resolve(Napi::Number::New(Env(), static_cast<double>(sent_)));
  }

  Napi::Promise::Deferred deferred_;
  int socket_, file_;
  int64_t offset_, count_, sent_ = 0;
};

// sendFile(socket: number, file: number, offset: number, count: number) -> Promise<number>: how many bytes, fewer when
// the socket is full. An error is left to the next one who reads or writes. The file stays open until it settles.
Napi::Value send_file(const Napi::CallbackInfo& info) {
  auto number = [&](size_t at) { return info[at].As<Napi::Number>().Int64Value(); };
  auto* work =
      new FileToSocket(info.Env(), static_cast<int>(number(0)), static_cast<int>(number(1)), number(2), number(3));
  return work->start();
}

// freeBuffer(memory: ArrayBuffer): gives its memory back now, not when the collector comes; it is empty afterwards.
Napi::Value free_buffer(const Napi::CallbackInfo& info) {
  info[0].As<Napi::ArrayBuffer>().Detach();
  return info.Env().Undefined();
}

}  // namespace

void export_storage(Napi::Env env, Napi::Object exports) {
  exports.Set("tryFlock", Napi::Function::New(env, try_flock));
  exports.Set("renameNoReplace", Napi::Function::New(env, rename_no_replace));
  exports.Set("renameExchange", Napi::Function::New(env, rename_exchange));
  exports.Set("hasOpaqueMark", Napi::Function::New(env, has_opaque_mark));
  exports.Set("syncFileSystem", Napi::Function::New(env, sync_file_system));
  exports.Set("sendFile", Napi::Function::New(env, send_file));
  exports.Set("freeBuffer", Napi::Function::New(env, free_buffer));
  exports.Set("surveyContainers", Napi::Function::New(env, survey_containers));
  exports.Set("readText", Napi::Function::New(env, read_text));
  exports.Set("removeTree", Napi::Function::New(env, remove_tree_async));
}

}  // namespace jubako::napi
