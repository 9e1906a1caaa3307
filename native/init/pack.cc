#include "../archive/pack.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../archive/jail.h"
#include "../archive/path_walk.h"
#include "../mount/filesystem.h"
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

struct Orders {
  archive::PackRequest request;
  // Topmost first; none: the directory is a descriptor.
  Strings lowers;
  const char* scratch;
  // What is packed, below the root; empty: everything.
  std::string_view path;
  bool follow;
  // The name it gets; empty: only what is in it.
  std::string_view name;
};

bool read_orders(Orders& orders, Failure& f) {
  Bytes plan = receive_plan(kControlFd, f);
  if (plan.size == 0) {
    if (!f.failed()) fail(f, EPROTO, "plan", "empty");
    return false;
  }
  Reader r(plan.data, plan.size);
  archive::PackRequest& request = orders.request;
  request.form = static_cast<archive::PackForm>(r.u32());
  request.hash = r.u32() != 0;
  request.tolerant = r.u32() != 0;
  request.compression = static_cast<archive::Compression>(r.u32());
  request.level = r.i32();
  const bool has_output = r.u32() != 0;
  orders.lowers = r.strings();
  orders.scratch = r.text();
  orders.path = r.text();
  orders.follow = r.u32() != 0;
  orders.name = r.text();
  request.output = !has_output ? -1 : orders.lowers.count == 0 ? kFirstFd + 1 : kFirstFd;
  return r.ok() || fail(f, EPROTO, "plan", "malformed");
}

// The tree as a detached mount.
int open_tree(const Orders& orders, Failure& f) {
  if (orders.lowers.count == 0) {
    const int tree = archive::clone_directory(kFirstFd, f);
    close(kFirstFd);
    return tree;
  }
  if (unshare(CLONE_NEWNS) < 0) return fail(f, errno, "unshare"), -1;
  struct mount_attr attributes = {};
  attributes.propagation = MS_PRIVATE;
  if (sys::mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &attributes) < 0) return fail(f, errno, "mount_setattr"), -1;
  OverlaySpec spec;
  spec.lowers = orders.lowers;
  spec.scratch = orders.scratch;
  spec.attributes = MOUNT_ATTR_RDONLY;
  return make_overlay(spec, f);
}

}  // namespace

int pack_main() {
  Orders orders = {};
  Failure failure;
  if (!read_orders(orders, failure)) give_up(failure);
  Fd tree(open_tree(orders, failure));
  if (!tree) give_up(failure);
  const Fd root(archive::enter_jail(tree.get(), archive::JailFor::kReading, failure));
  if (!root) give_up(failure);
  tree.reset();
  static archive::Pack pack;
  Fault fault;
  if (!pack.start(orders.request, fault)) {
    send_fault(fault);
    _exit(1);
  }
  if (!archive::confine(archive::JailFor::kReading, failure)) give_up(failure);
  archive::PathWalk walk(root.get(), orders.path, orders.follow, orders.name);
  archive::PackResult result;
  if (!pack.run(walk, result, fault)) {
    send_fault(fault);
    _exit(1);
  }
  struct {
    uint8_t diff_id[32], digest[32];
    uint64_t size, written, entries, bytes;
  } done = {};
  memcpy(done.diff_id, result.diff_id, sizeof done.diff_id);
  memcpy(done.digest, result.digest, sizeof done.digest);
  done.size = result.size;
  done.written = result.written;
  done.entries = result.entries;
  done.bytes = result.bytes;
  send_frame(protocol::kResult, &done, sizeof done);
  _exit(0);
}

}  // namespace jubako
