#include "../archive/pack.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../archive/jail.h"
#include "../archive/names.h"
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
using archive::Text;

constexpr uint64_t kInside = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;

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

class Walk : public archive::Pack::Walk {
 public:
  Walk(const Orders& orders, int root) : orders_(orders), root_(root) {}

  bool run(archive::TreePacker& packer, Fault& fault) override {
    std::string_view path = orders_.path;
    while (!path.empty() && path.back() == '/') path.remove_suffix(1);
    if (path.empty() || orders_.follow || orders_.name.empty()) return opened(packer, fault);
    Text parent, base;
    parent.assign("/");
    parent.append(archive::parent_of(path));
    base.assign(archive::base_of(path));
    fault.at(orders_.path);
    const Fd directory(sys::open_at2(root_, parent.c_str(), O_PATH | O_DIRECTORY, kInside));
    if (!directory) return fault.system("openat2", errno);
    if (base.view() == "..") return opened(packer, fault);
    return packer.member(directory.get(), base.c_str(), orders_.name);
  }

 private:
  // Where a name that is no directory's own leads.
  bool opened(archive::TreePacker& packer, Fault& fault) {
    Text path;
    path.assign("/");
    path.append(orders_.path);
    fault.at(orders_.path);
    const Fd found(sys::open_at2(root_, path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY, kInside));
    struct stat info;
    if (!found || fstat(found.get(), &info) != 0) return fault.system("openat2", errno);
    if (!S_ISDIR(info.st_mode)) return packer.file(found.get(), orders_.name);
    if (orders_.name.empty()) return packer.contents(found.get(), {});
    return packer.member(found.get(), ".", orders_.name);
  }

  const Orders& orders_;
  int root_;
};

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
  Walk walk(orders, root.get());
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
