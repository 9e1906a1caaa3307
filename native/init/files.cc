// Works on the files of one container, running or stopped, or of one directory of the host: looks at a path, packs what
// is there, unpacks an archive into it, reads a file, lists a directory. Nothing a container does to its links
// meanwhile leads out of its root.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../archive/find_path.h"
#include "../archive/jail.h"
#include "../archive/pack.h"
#include "../archive/path_walk.h"
#include "../archive/plain.h"
#include "../archive/unpack.h"
#include "../spawn/child.h"
#include "../spawn/plan.h"
#include "../spawn/protocol.h"
#include "../spawn/start.h"
#include "../sys/fd.h"
#include "../sys/linux.h"
#include "roles.h"
#include "worker.h"

namespace jubako {

namespace {

using archive::Fault;
using archive::JailFor;

enum class Job : uint32_t { kFind = 0, kPack = 1, kUnpack = 2, kRead = 3, kList = 4 };

struct Orders {
  Job job;
  // How the container's root becomes this process's own; none: the root is the directory that is passed first.
  StepList steps;
  bool has_steps;
  int stream;
  const char* path;
  bool follow;
  std::string_view name;
  bool keep_kinds, owners;
  archive::Limits limits;
};

bool read_orders(Orders& orders, Failure& f) {
  Bytes plan = receive_plan(kControlFd, f);
  if (plan.size == 0) {
    if (!f.failed()) fail(f, EPROTO, "plan", "empty");
    return false;
  }
  Reader r(plan.data, plan.size);
  orders.job = static_cast<Job>(r.u32());
  Bytes steps = r.bytes();
  orders.has_steps = steps.size > 0;
  orders.steps = StepList(Reader(steps.data, steps.size));
  orders.stream = kFirstFd + r.i32();
  orders.path = r.text();
  orders.follow = r.u32() != 0;
  orders.name = r.text();
  orders.keep_kinds = r.u32() != 0;
  orders.owners = r.u32() != 0;
  orders.limits = {r.u64(), r.u64(), r.u64(), r.u64()};
  return r.ok() || fail(f, EPROTO, "plan", "malformed");
}

JailFor purpose_of(const Orders& orders) { return orders.job == Job::kUnpack ? JailFor::kWriting : JailFor::kReading; }

// A directory of the host, with what is mounted in it.
int host_root(const Orders& orders, Failure& f) {
  Fd tree(sys::open_tree(kFirstFd, "", OPEN_TREE_CLONE | AT_EMPTY_PATH | AT_RECURSIVE));
  if (!tree) return fail(f, errno, "open_tree", "directory"), -1;
  return archive::enter_jail(tree.get(), purpose_of(orders), f);
}

constexpr int kApart = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS;

// No device node of the container's making is ever opened as one, and reading changes nothing, access times included.
bool guard_mounts(JailFor purpose, Failure& f) {
  struct mount_attr attributes = {};
  attributes.attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  if (purpose == JailFor::kReading) attributes.attr_set |= MOUNT_ATTR_RDONLY;
  attributes.propagation = MS_PRIVATE;
  return sys::mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attributes) == 0 || fail(f, errno, "mount_setattr", "/");
}

// The container's mounts as this process's own: those of its namespace, or for a stopped one an overlay of its layers
// with its volumes.
int container_root(const Orders& orders, Failure& f) {
  // Nobody in the container may reach this process through what it joins.
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (unshare(kApart) < 0) return fail(f, errno, "unshare"), -1;
  static int passed[kMaxFds];
  for (size_t i = 0; i < kMaxFds; i++) passed[i] = kFirstFd + static_cast<int>(i);
  Child child;
  child.passed = passed;
  if (!run_child_steps(child, orders.steps, f)) return -1;
  // A copy, which nobody changes any more and whose attributes are nobody else's.
  if (unshare(CLONE_NEWNS) < 0) return fail(f, errno, "unshare"), -1;
  if (!guard_mounts(purpose_of(orders), f)) return -1;
  int root = sys::open_at2(AT_FDCWD, "/", O_RDONLY | O_DIRECTORY, 0);
  if (root < 0) return fail(f, errno, "openat2", "/"), -1;
  return archive::shed_rights(purpose_of(orders), f) ? root : -1;
}

[[noreturn]] void give_up(const Fault& fault) {
  send_fault(fault);
  _exit(1);
}

void confine(const Orders& orders) {
  Failure failure;
  if (!archive::confine(purpose_of(orders), failure)) give_up(failure);
}

void find(const Orders& orders, int root) {
  confine(orders);
  archive::FoundPath found;
  Fault fault;
  if (!archive::find_path(root, orders.path, found, fault)) give_up(fault);
  struct {
    uint64_t size;
    int64_t seconds;
    uint32_t nanoseconds, mode;
  } head = {static_cast<uint64_t>(found.info.st_size), found.info.st_mtim.tv_sec,
            static_cast<uint32_t>(found.info.st_mtim.tv_nsec), found.info.st_mode};
  archive::List<char> result;
  result.append(reinterpret_cast<const char*>(&head), sizeof head);
  result.append(found.target.data(), found.target.size());
  send_frame(protocol::kResult, result.data(), result.size());
}

void pack(const Orders& orders, int root) {
  static archive::Pack packer;
  Fault fault;
  const archive::PackRequest request = {archive::PackForm::kTree,    false, true, orders.stream,
                                        archive::Compression::kNone, 0};
  if (!packer.start(request, fault)) give_up(fault);
  confine(orders);
  archive::PathWalk walk(root, orders.path, orders.follow, orders.name);
  archive::PackResult result;
  if (!packer.run(walk, result, fault)) give_up(fault);
  send_frame(protocol::kResult, &result.size, sizeof result.size);
}

void plain(const Orders& orders, int root) {
  confine(orders);
  Fault fault;
  uint64_t result = 0;
  auto* job = orders.job == Job::kRead ? archive::read_file : archive::list_directory;
  if (!job(root, *orders.path ? orders.path : "/", orders.stream, result, fault)) give_up(fault);
  send_frame(protocol::kResult, &result, sizeof result);
}

class Silent : public archive::UnpackObserver {
 public:
  void progress(uint64_t, uint64_t) override {}
  void implicit(std::string_view) override {}
};

void unpack(const Orders& orders, int root) {
  static archive::Unpack unpacker;
  Fault fault;
  archive::UnpackRequest request = {orders.stream, root, archive::Compression::kDetect, 0, orders.limits, {}};
  std::string_view base = orders.path;
  while (!base.empty() && base.front() == '/') base = archive::drop(base, 1);
  while (!base.empty() && base.back() == '/') base.remove_suffix(1);
  request.placement = {false, base, orders.keep_kinds, orders.owners};
  if (!unpacker.start(request, fault)) give_up(fault);
  confine(orders);
  fault.at(orders.path);
  const Fd target(sys::open_at2(root, *orders.path ? orders.path : "/", O_PATH | O_DIRECTORY,
                                RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS));
  if (!target) {
    fault.system("openat2", errno, {"target"});
    give_up(fault);
  }
  Silent silent;
  archive::UnpackResult result;
  archive::OpaqueMarks marks(-1);
  if (!unpacker.run(marks, silent, result, fault)) give_up(fault);
  send_frame(protocol::kResult, &result.uncompressed, sizeof result.uncompressed);
}

}  // namespace

int files_main() {
  static Orders orders;
  Failure failure;
  if (!read_orders(orders, failure)) give_up(failure);
  umask(0);
  int root = orders.has_steps ? container_root(orders, failure) : host_root(orders, failure);
  if (root < 0) give_up(failure);
  switch (orders.job) {
    case Job::kFind: find(orders, root); break;
    case Job::kPack: pack(orders, root); break;
    case Job::kUnpack: unpack(orders, root); break;
    case Job::kRead:
    case Job::kList: plain(orders, root); break;
  }
  _exit(0);
}

}  // namespace jubako
