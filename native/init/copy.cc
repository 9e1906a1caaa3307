#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../copy/jail.h"
#include "../copy/walk.h"
#include "../mount/filesystem.h"
#include "../spawn/plan.h"
#include "../spawn/protocol.h"
#include "../spawn/start.h"
#include "../sys/files.h"
#include "../sys/linux.h"
#include "roles.h"
#include "worker.h"

namespace jubako {

namespace {

using archive::Fault;
using archive::Text;

constexpr uint32_t kMaxRoots = 64;
enum class Place : uint32_t { kPassed = 0, kLayers = 1 };

struct Roots {
  int list[kMaxRoots];
  uint32_t count = 0;
  int target = -1;
};

// One layer is bound: overlayfs wants two.
int open_layers(Strings lowers, const char* upper, const char* work, Failure& f) {
  if (lowers.count == 0 || (lowers.count == 1 && !*upper)) {
    const char* path = lowers.count == 0 ? upper : lowers.next();
    int fd = sys::open_file(path, O_RDONLY | O_DIRECTORY);
    if (fd < 0) fail(f, errno, "open", path);
    return fd;
  }
  OverlaySpec spec;
  spec.lowers = lowers;
  spec.upper = upper;
  spec.work = work;
  // Nobody needs what a crash leaves of it.
  static const uint8_t volatile_option[] = {1, 0, 0, 0, 8, 0, 0, 0, 'v', 'o', 'l', 'a', 't', 'i', 'l', 'e', 0};
  if (*upper) {
    Reader reader(volatile_option, sizeof volatile_option);
    spec.options = reader.strings();
  } else {
    spec.attributes = MOUNT_ATTR_RDONLY;
  }
  spec.scratch = "/proc";
  return make_overlay(spec, f);
}

// {u32 threads, u32 roots, {u32 place, u32 index | strings}..., u32 has target, strings lowers, upper, work}
bool open_roots(Reader& r, Roots& roots, uint32_t& threads, Failure& f) {
  threads = r.u32();
  uint32_t count = r.u32();
  if (count > kMaxRoots) return fail(f, E2BIG, "plan", "roots");
  for (uint32_t i = 0; i < count; i++) {
    Place place = static_cast<Place>(r.u32());
    int fd;
    if (place == Place::kPassed) {
      fd = kFirstFd + static_cast<int>(r.u32());
    } else {
      Strings lowers = r.strings();
      if (!r.ok()) break;
      fd = open_layers(lowers, "", "", f);
      if (fd < 0) return false;
    }
    roots.list[roots.count++] = fd;
  }
  if (r.u32() != 0) {
    Strings lowers = r.strings();
    const char* upper = r.text();
    const char* work = r.text();
    if (r.ok()) {
      roots.target = open_layers(lowers, upper, work, f);
      if (roots.target < 0) return false;
    }
  }
  return r.ok() || fail(f, EPROTO, "plan", "malformed");
}

bool act(const copy::Request& request, const Roots& roots, copy::Pool& pool) {
  Fault fault;
  copy::Result result;
  bool ok = false;
  const bool on_target =
      request.act == copy::Act::kMkdir || request.act == copy::Act::kClamp || request.act == copy::Act::kSearch;
  if (!on_target && request.root >= roots.count) return false;
  int root = request.root < roots.count ? roots.list[request.root] : -1;
  switch (request.act) {
    case copy::Act::kDigest: ok = copy::walk(request, root, -1, pool, result, fault); break;
    case copy::Act::kCopy: ok = copy::walk(request, root, roots.target, pool, result, fault); break;
    case copy::Act::kMkdir: ok = copy::make_target(request, roots.target, fault); break;
    case copy::Act::kClamp: ok = copy::clamp_times(roots.target, request.latest, fault); break;
    case copy::Act::kRead:
    case copy::Act::kSearch: {
      Text contents;
      if (request.act == copy::Act::kRead ? copy::read_file(request, root, contents, fault)
                                          : copy::search(request.changes, roots.target, contents, fault)) {
        send_frame(protocol::kResult, contents.data(), contents.size());
        return true;
      }
      break;
    }
  }
  if (!ok) {
    send_fault(fault);
    return true;
  }
  send_frame(protocol::kResult, &result, sizeof result);
  return true;
}

// The next request; false at the end of the socket.
bool receive(Text& frame) {
  protocol::Header header;
  auto all = [](void* to, size_t size) {
    char* at = static_cast<char*>(to);
    while (size > 0) {
      ssize_t n = recv(kControlFd, at, size, 0);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return false;
      at += n;
      size -= static_cast<size_t>(n);
    }
    return true;
  };
  if (!all(&header, sizeof header) || header.length > protocol::kMaxFrame) return false;
  frame.clear();
  frame.reserve(header.length + 1);
  if (!all(frame.data(), header.length)) return false;
  // The size is what the reader needs.
  frame.append(std::string_view(frame.data(), header.length));
  return true;
}

}  // namespace

int copy_main() {
  Failure failure;
  Bytes plan = receive_plan(kControlFd, failure);
  if (plan.size == 0) {
    if (!failure.failed()) return 0;
    give_up(failure);
  }
  umask(0);
  Reader reader(plan.data, plan.size);
  Roots roots;
  uint32_t threads = 0;
  if (!copy::unshare_mounts(failure) || !open_roots(reader, roots, threads, failure) || !copy::confine(failure))
    give_up(failure);
  copy::Pool pool(threads);
  Text frame;
  while (receive(frame)) {
    Reader r(reinterpret_cast<uint8_t*>(frame.data()), frame.size());
    copy::Request request = {};
    if (!request.read(r) || !act(request, roots, pool)) {
      fail(failure, EPROTO, "plan", "malformed");
      give_up(failure);
    }
  }
  return 0;
}

}  // namespace jubako
