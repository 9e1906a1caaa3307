#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../archive/jail.h"
#include "../archive/unpack.h"
#include "../spawn/plan.h"
#include "../spawn/protocol.h"
#include "../spawn/start.h"
#include "../sys/fd.h"
#include "roles.h"
#include "worker.h"

namespace jubako {

namespace {

using archive::Fault;

constexpr int kBlob = kFirstFd, kDirectory = kFirstFd + 1;

class Reporter : public archive::UnpackObserver {
 public:
  void progress(uint64_t compressed, uint64_t uncompressed) override {
    uint64_t numbers[2] = {compressed, uncompressed};
    send_frame(protocol::kProgress, numbers, sizeof numbers);
  }
  void implicit(std::string_view path) override { send_frame(protocol::kImplicit, path.data(), path.size()); }
};

// What the starter says of a blob that it is still writing.
class ControlGrowth : public archive::Growth {
 public:
  explicit ControlGrowth(uint64_t whole) : whole_(whole) {}
  bool more(uint64_t have) override {
    while (there_ <= have) {
      if (have >= whole_) return false;
      struct {
        protocol::Header header;
        uint64_t bytes;
      } frame = {};
      const ssize_t size = recv(kControlFd, &frame, sizeof frame, MSG_WAITALL);
      if (size < 0 && errno == EINTR) continue;
      if (size != sizeof frame || frame.header.type != protocol::kGrown) return false;
      there_ = frame.bytes;
    }
    return true;
  }

 private:
  uint64_t whole_;
  uint64_t there_ = 0;
};

struct Orders {
  archive::Compression compression;
  bool growing;
  uint64_t compressed_size;
  archive::Limits limits;
  archive::Barriers barriers;
};

bool read_orders(Orders& orders, Failure& f) {
  Bytes plan = receive_plan(kControlFd, f);
  if (plan.size == 0) {
    if (!f.failed()) fail(f, EPROTO, "plan", "empty");
    return false;
  }
  Reader r(plan.data, plan.size);
  orders.compression = static_cast<archive::Compression>(r.u32());
  orders.compressed_size = r.u64();
  orders.limits = {r.u64(), r.u64(), r.u64(), r.u64()};
  orders.barriers.jail = r.u32() != 0;
  orders.barriers.beneath = r.u32() != 0;
  orders.growing = r.u32() != 0;
  return r.ok() || fail(f, EPROTO, "plan", "malformed");
}

int jail(Failure& failure) {
  const Fd tree(archive::clone_directory(kDirectory, failure));
  return tree ? archive::enter_jail(tree.get(), archive::JailFor::kWriting, failure) : -1;
}

// The process that reads the archive. `broker` leads to the one outside that sets overlay's marks.
[[noreturn]] void work(const Orders& orders, int broker, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
  if (getppid() != parent) _exit(1);
  umask(0);
  Failure failure;
  int root = orders.barriers.jail ? jail(failure) : openat(kDirectory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (root < 0) {
    if (!failure.failed()) fail(failure, errno, "openat", ".");
    give_up(failure);
  }
  close(kDirectory);
  archive::UnpackRequest request = {kBlob,         root,           orders.compression, orders.compressed_size,
                                    orders.limits, orders.barriers};
  ControlGrowth growth(orders.compressed_size);
  if (orders.growing) request.growth = &growth;
  static archive::Unpack unpack;
  Fault fault;
  if (!unpack.start(request, fault)) {
    send_fault(fault);
    _exit(1);
  }
  if (orders.barriers.jail && !archive::confine(archive::JailFor::kWriting, failure)) give_up(failure);
  Reporter reporter;
  archive::UnpackResult result;
  archive::OpaqueMarks marks(broker);
  if (!unpack.run(marks, reporter, result, fault)) {
    send_fault(fault);
    _exit(1);
  }
  struct {
    uint8_t diff_id[32];
    uint64_t uncompressed, compressed, entries, size;
  } done = {};
  memcpy(done.diff_id, result.diff_id, sizeof done.diff_id);
  done.uncompressed = result.uncompressed;
  done.compressed = result.compressed;
  done.entries = result.entries;
  done.size = result.size;
  send_frame(protocol::kResult, &done, sizeof done);
  _exit(0);
}

// Serves the worker until it ends. False when nobody wants the result any more.
bool serve(int broker) {
  for (;;) {
    struct pollfd events[] = {{broker, POLLIN, 0}, {kControlFd, POLLRDHUP, 0}};
    if (poll(events, 2, -1) < 0) continue;
    if (events[1].revents != 0) return false;
    if (events[0].revents != 0 && !archive::serve_opaque_mark(broker)) return true;
  }
}

}  // namespace

int unpack_main() {
  Orders orders = {};
  Failure failure;
  if (!read_orders(orders, failure)) give_up(failure);
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) {
    fail(failure, errno, "socketpair");
    give_up(failure);
  }
  pid_t parent = getpid();
  pid_t pid = fork();
  if (pid < 0) {
    fail(failure, errno, "fork");
    give_up(failure);
  }
  if (pid == 0) {
    close(pair[0]);
    work(orders, pair[1], parent);
  }
  close(pair[1]);
  close(kBlob);
  close(kDirectory);
  if (!serve(pair[0])) kill(pid, SIGKILL);
  int status = 0;
  waitpid(pid, &status, 0);
  if (WIFSIGNALED(status)) {
    fail(failure, EIO, "unpack", "the worker was killed");
    failure.detail = static_cast<uint32_t>(WTERMSIG(status));
    give_up(failure);
  }
  // The starter may still be telling of bytes that the worker has seen: a write that failed would cost it the answer.
  shutdown(kControlFd, SHUT_WR);
  char ignored[64];
  while (recv(kControlFd, ignored, sizeof ignored, 0) > 0) {
  }
  return WEXITSTATUS(status);
}

}  // namespace jubako
