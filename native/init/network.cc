#include "network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "../sys/fd.h"
#include "../sys/files.h"
#include "supervisor.h"

namespace jubako {

bool network_enter(Supervisor& s, Failure& f) {
  Network& n = s.network;
  if (n.outside < 0) n.outside = sys::open_file("/proc/self/ns/net", O_RDONLY);
  if (n.outside < 0) return fail(f, errno, "open", "/proc/self/ns/net");
  if (n.inside >= 0) return true;
  // The child is not reaped before this process has finished with it: the number is its own.
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/ns/net", s.pid);
  n.inside = sys::open_file(path, O_RDONLY);
  return n.inside >= 0 || fail(f, errno, "open", path);
}

namespace {

int socket_of(Supervisor& s, bool inside, int protocol, Failure& f) {
  Network& n = s.network;
  int& fd = (inside ? n.inside_socket : n.sockets)[protocol == NETLINK_NETFILTER];
  if (fd > 0) return fd;
  int opened = -1;
  if (!inside) {
    opened = open_netlink(protocol, f);
  } else if (network_enter(s, f)) {
    if (setns(n.inside, CLONE_NEWNET) < 0) return fail(f, errno, "setns", "net"), -1;
    opened = open_netlink(protocol, f);
    if (setns(n.outside, CLONE_NEWNET) < 0) abort();
  }
  if (opened > 0) fd = opened;
  return opened;
}

bool patch(Supervisor& s, int socket, uint8_t* messages, size_t size, Reader patches, Strings names, Failure& f) {
  while (patches.left() >= 12) {
    uint32_t offset = patches.u32();
    auto kind = static_cast<PatchKind>(patches.u32());
    uint32_t value = patches.u32();
    if (offset + 4 > size && !(kind >= PatchKind::kPort && offset + 2 <= size)) return fail(f, EPROTO, "plan", "patch");
    uint32_t word = 0;
    uint16_t port = 0;
    switch (kind) {
      case PatchKind::kNamespace:
        if (!network_enter(s, f)) return false;
        word = static_cast<uint32_t>(s.network.inside);
        break;
      case PatchKind::kLinkIndex: {
        Strings walk = names;
        const char* name = "";
        for (uint32_t i = 0; i <= value && i < names.count; i++) name = walk.next();
        if (!link_index(socket, name, word, f)) return false;
        break;
      }
      case PatchKind::kPort:
        if (value >= s.network.port_count) return fail(f, EPROTO, "plan", "port");
        port = htons(s.network.ports[value]);
        break;
      case PatchKind::kResolver: port = htons(s.network.resolver.port); break;
    }
    if (kind >= PatchKind::kPort)
      memcpy(messages + offset, &port, sizeof port);
    else
      memcpy(messages + offset, &word, sizeof word);
  }
  return true;
}

int socket_type(int protocol) {
  return protocol == IPPROTO_TCP ? SOCK_STREAM : protocol == IPPROTO_UDP ? SOCK_DGRAM : SOCK_SEQPACKET;
}

// Bound and never used: nobody else gets the port while this process lives. -1 with errno.
int reserve(int protocol, const char* text, uint16_t& port) {
  struct sockaddr_storage address = {};
  auto* v4 = reinterpret_cast<struct sockaddr_in*>(&address);
  auto* v6 = reinterpret_cast<struct sockaddr_in6*>(&address);
  socklen_t size = sizeof *v4;
  if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
  } else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    size = sizeof *v6;
  } else {
    return errno = EINVAL, -1;
  }
  Fd fd(socket(address.ss_family, socket_type(protocol) | SOCK_CLOEXEC, protocol));
  if (!fd) return -1;
  int on = 1;
  if (address.ss_family == AF_INET6) setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  if (bind(fd.get(), reinterpret_cast<struct sockaddr*>(&address), size) < 0) return -1;
  if (getsockname(fd.get(), reinterpret_cast<struct sockaddr*>(&address), &size) < 0) return -1;
  port = ntohs(address.ss_family == AF_INET ? v4->sin_port : v6->sin6_port);
  return fd.release();
}

// RFC 6335: ports that nobody may have by name.
constexpr uint32_t kFirstDynamic = 49152;

// The same number at every address.
bool reserve_all(int protocol, Strings addresses, uint16_t& port, int out[2]) {
  for (uint32_t i = 0; i < addresses.count && i < 2; i++) {
    out[i] = reserve(protocol, addresses.next(), port);
    if (out[i] >= 0) continue;
    // A kernel without sctp cannot give it to anybody; it passes it on all the same.
    if (errno == EPROTONOSUPPORT || errno == ESOCKTNOSUPPORT) {
      uint16_t random;
      if (!port && getrandom(&random, sizeof random, 0) == sizeof random)
        port = static_cast<uint16_t>(kFirstDynamic + random % (65536 - kFirstDynamic));
      continue;
    }
    int error = errno;
    if (i && out[0] >= 0) close(out[0]);
    out[0] = out[1] = -1;
    errno = error;
    return false;
  }
  return true;
}

}  // namespace

bool network_netlink(Supervisor& s, Reader& r, Failure& f) {
  bool inside = r.u32() != 0;
  int protocol = r.i32();
  const char* what = r.text();
  Bytes messages = r.bytes();
  Bytes patches = r.bytes();
  Strings names = r.strings();
  Bytes tolerated = r.bytes();
  int32_t errors[16];
  size_t count = tolerated.size / sizeof errors[0] < 16 ? tolerated.size / sizeof errors[0] : 16;
  memcpy(errors, tolerated.data, count * sizeof errors[0]);
  int socket = socket_of(s, inside, protocol, f);
  if (socket < 0) return false;
  // The plan's bytes are this process's own.
  auto* data = const_cast<uint8_t*>(messages.data);
  if (!patch(s, socket, data, messages.size, Reader(patches.data, patches.size), names, f)) return false;
  return exchange(socket, what, data, messages.size, errors, count, nullptr, f);
}

bool network_reserve(Supervisor& s, Reader& r, Failure& f) {
  Network& n = s.network;
  int protocol = r.i32();
  uint32_t first = r.u32(), last = r.u32();
  Strings addresses = r.strings();
  auto* ports = static_cast<uint16_t*>(realloc(n.ports, (n.port_count + 1) * sizeof n.ports[0]));
  if (ports) n.ports = ports;
  auto* reserved = static_cast<int*>(realloc(n.reserved, (n.port_count + 1) * 2 * sizeof n.reserved[0]));
  if (reserved) n.reserved = reserved;
  if (!ports || !reserved) return fail(f, ENOMEM, "realloc");
  int* fds = n.reserved + 2 * n.port_count;
  fds[0] = fds[1] = -1;
  Strings walk = addresses;
  const char* address = walk.next();
  for (uint32_t port = first; port <= last; port++) {
    auto chosen = static_cast<uint16_t>(port);
    // A number of the kernel's choice may be taken at the other address.
    for (int attempt = 0; attempt < (port ? 1 : 64); attempt++, chosen = static_cast<uint16_t>(port)) {
      if (!reserve_all(protocol, addresses, chosen, fds)) {
        if (errno != EADDRINUSE) return fail(f, errno, "bind", address);
        continue;
      }
      n.ports[n.port_count++] = chosen;
      return true;
    }
  }
  char text[256];
  const char* word = protocol == IPPROTO_TCP ? "tcp" : protocol == IPPROTO_UDP ? "udp" : "sctp";
  snprintf(text, sizeof text, "%s:%u/%s", address, first, word);
  f.detail = first == last ? first : 0;
  return fail(f, EADDRINUSE, "bind", text);
}

bool network_ports(Supervisor& s, Reader& r, Failure& f) {
  const char* path = r.text();
  char temporary[4096];
  snprintf(temporary, sizeof temporary, "%s.tmp", path);
  Fd fd(sys::open_file(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0600));
  if (!fd) return fail(f, errno, "open", temporary);
  size_t room = s.network.port_count * 6 + 4;
  auto* text = static_cast<char*>(malloc(room));
  if (!text) return fail(f, ENOMEM, "malloc");
  size_t used = 0;
  for (size_t i = 0; i < s.network.port_count; i++)
    used += static_cast<size_t>(snprintf(text + used, room - used, "%c%u", i ? ',' : '[', s.network.ports[i]));
  used += static_cast<size_t>(snprintf(text + used, room - used, "%s", used ? "]\n" : "[]\n"));
  bool good = write(fd.get(), text, used) == static_cast<ssize_t>(used);
  free(text);
  if (!good) return fail(f, ENOSPC, "write", temporary);
  return sys::rename_path(temporary, path) == 0 || fail(f, errno, "rename", path);
}

// An endpoint's end: the link at `path` says whose the address is. Another process may have ended it already, and the
// address may be somebody else's by now; then nothing here is ours to undo.
bool network_release(Supervisor& s, Reader& r, Failure& f) {
  const char* path = r.text();
  const char* owner = r.text();
  Bytes nested = r.bytes();
  char holder[512];
  ssize_t n = sys::read_link(path, holder, sizeof holder - 1);
  if (n < 0) return errno == ENOENT || fail(f, errno, "readlink", path);
  holder[n] = 0;
  if (strcmp(holder, owner) != 0) return true;
  run_exit_steps(s, StepList(Reader(nested.data, nested.size)));
  return sys::remove_file(path) == 0 || errno == ENOENT || fail(f, errno, "unlink", path);
}

bool network_name(Supervisor&, Reader& r, Failure& f) {
  const char* directory = r.text();
  const char* entry = r.text();
  const char* content = r.text();
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", directory, entry);
  // The last bearer of a name takes its directory away, perhaps just now.
  for (int attempt = 0; attempt < 100; attempt++) {
    if (sys::make_directory(directory, 0700) < 0 && errno != EEXIST) return fail(f, errno, "mkdir", directory);
    if (sys::make_link(content, path) == 0 || errno == EEXIST) return true;
    if (errno != ENOENT) break;
  }
  return fail(f, errno, "symlink", path);
}

bool network_unname(Supervisor&, Reader& r, Failure& f) {
  const char* directory = r.text();
  const char* entry = r.text();
  char path[4096];
  snprintf(path, sizeof path, "%s/%s", directory, entry);
  if (sys::remove_file(path) < 0 && errno != ENOENT) return fail(f, errno, "unlink", path);
  sys::remove_directory(directory);
  return true;
}

bool network_resolver(Supervisor& s, Reader& r, Failure& f) {
  Network& n = s.network;
  if (n.resolver.epoll >= 0) return true;
  Strings inside = r.strings(), outside = r.strings();
  if (!network_enter(s, f) || !resolver_open(n.resolver, n.inside, n.outside, static_cast<uint16_t>(r.u32()), f))
    return false;
  while (inside.count--) resolver_add_upstream(n.resolver, inside.next(), true);
  while (outside.count--) resolver_add_upstream(n.resolver, outside.next(), false);
  watch(s, n.resolver.epoll, EPOLLIN, &s.network);
  return true;
}

bool network_resolve_in(Supervisor& s, Reader& r, Failure& f) {
  const char* directory = r.text();
  const char* suffix = r.text();
  return resolver_add_zone(s.network.resolver, directory, suffix, r.u32() != 0) ||
         fail(f, ENOSPC, "resolver", directory);
}

bool network_resolve_not(Supervisor& s, Reader& r, Failure&) {
  resolver_drop_zone(s.network.resolver, r.text());
  return true;
}

void network_leave(Supervisor& s) {
  Network& n = s.network;
  if (n.resolver.epoll >= 0) unwatch(s, n.resolver.epoll);
  resolver_close(n.resolver);
  heal_leave(s);
  for (int& fd : n.inside_socket) {
    if (fd > 0) close(fd);
    fd = 0;
  }
  if (n.inside >= 0) close(n.inside);
  n.inside = -1;
}

void network_give_up(Supervisor& s) {
  for (size_t i = 0; i < 2 * s.network.port_count; i++) {
    int& fd = s.network.reserved[i];
    if (fd >= 0) close(fd);
    fd = -1;
  }
}

}  // namespace jubako
