#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "../sys/files.h"
#include "../sys/linux.h"
#include "supervisor.h"

// What a client has not taken yet. A reader that is slow holds the container back, as a pipe does, once it is a MiB
// behind; one that takes nothing at all for some seconds holds nobody back any more. What comes then goes to a file
// without a name, from which it reads on when it reads again. When that file is full, or the disk refuses it, the
// reader gets what is there and is told that there was more (docs/decisions/readers-that-lag.md).

namespace jubako {

using protocol::Header;

namespace {

constexpr size_t kEnough = 1 << 20;           // from here on the container waits
constexpr size_t kMostInMemory = 2 << 20;     // from here on it goes to the file
constexpr uint64_t kLargestSpill = 1U << 30;  // bytes
constexpr int64_t kPatienceMs = 5000;         // that the container waits for a reader that takes nothing
constexpr size_t kRefill = 256 * 1024;

size_t in_memory(const Client& client) { return client.pending.size - client.pending.at; }

uint64_t in_file(const Client& client) { return client.spill < 0 ? 0 : client.spill_size - client.spill_at; }

uint64_t backlog(const Client& client) { return in_memory(client) + in_file(client) + client.tail.size; }

bool append(Queue& queue, const struct iovec* parts, int count) {
  size_t size = 0;
  for (int i = 0; i < count; i++) size += parts[i].iov_len;
  if (queue.at > 0 && queue.size + size > queue.room) {
    memmove(queue.data, queue.data + queue.at, queue.size - queue.at);
    queue.size -= queue.at;
    queue.at = 0;
  }
  if (queue.size + size > queue.room) {
    size_t room = queue.size + size > queue.room * 2 ? queue.size + size : queue.room * 2;
    auto* data = static_cast<uint8_t*>(realloc(queue.data, room));
    if (!data) return false;
    queue.data = data;
    queue.room = room;
  }
  for (int i = 0; i < count; i++) {
    memcpy(queue.data + queue.size, parts[i].iov_base, parts[i].iov_len);
    queue.size += parts[i].iov_len;
  }
  return true;
}

void release(Queue& queue) {
  free(queue.data);
  queue = Queue();
}

bool spill(Supervisor& s, Client& client, const struct iovec* parts, int count) {
  if (client.spill < 0) {
    client.spill = sys::open_file(s.plan.settings.spill_directory, O_TMPFILE | O_RDWR, 0600);
    if (client.spill < 0) return false;
    client.spill_at = client.spill_size = 0;
  }
  size_t size = 0;
  for (int i = 0; i < count; i++) size += parts[i].iov_len;
  if (client.spill_size + size > kLargestSpill) return false;
  if (pwritev(client.spill, parts, count, static_cast<off_t>(client.spill_size)) != static_cast<ssize_t>(size))
    return false;
  client.spill_size += size;
  return true;
}

// The rest of a frame, from the `sent`th byte on.
void keep(Supervisor& s, Client& client, const Header& header, const void* data, size_t sent) {
  struct iovec parts[2] = {{const_cast<Header*>(&header), sizeof header}, {const_cast<void*>(data), header.length}};
  for (struct iovec& part : parts) {
    size_t skipped = sent < part.iov_len ? sent : part.iov_len;
    part.iov_base = static_cast<uint8_t*>(part.iov_base) + skipped;
    part.iov_len -= skipped;
    sent -= skipped;
  }
  size_t size = parts[0].iov_len + parts[1].iov_len;
  if (client.cut) {
    if (!append(client.tail, parts, 2)) client.broken = true;
    return;
  }
  if (client.spill < 0 && in_memory(client) + size <= kMostInMemory) {
    if (!append(client.pending, parts, 2)) client.broken = true;
    return;
  }
  if (spill(s, client, parts, 2)) return;
  // It gets no more output, but learns of the end as always.
  client.cut = true;
  client.attached &= protocol::kAttachStdin;
  const Header cut = {protocol::kCut, 0};
  const struct iovec told[1] = {{const_cast<Header*>(&cut), sizeof cut}};
  if (!append(client.tail, told, 1)) client.broken = true;
  bool output = header.type == protocol::kStdout || header.type == protocol::kStderr;
  if (!output && !append(client.tail, parts, 2)) client.broken = true;
}

// Fills the memory from what comes next. False when nothing is left.
bool refill(Client& client) {
  release(client.pending);
  if (in_file(client) > 0) {
    auto* data = static_cast<uint8_t*>(malloc(kRefill));
    if (!data) return false;
    // Not what the disk took of a frame that did not fit.
    size_t size = in_file(client) < kRefill ? static_cast<size_t>(in_file(client)) : kRefill;
    ssize_t n = pread(client.spill, data, size, static_cast<off_t>(client.spill_at));
    client.pending.data = data;
    client.pending.room = kRefill;
    if (n <= 0) {
      client.broken = true;
      return false;
    }
    client.pending.size = static_cast<size_t>(n);
    client.spill_at += static_cast<uint64_t>(n);
    return true;
  }
  if (client.spill >= 0) close(client.spill);
  client.spill = -1;
  client.pending = client.tail;
  client.tail = Queue();
  return client.pending.size > 0;
}

// True when everything was taken.
bool flush(Client& client) {
  do {
    while (in_memory(client) > 0) {
      ssize_t n =
          send(client.fd, client.pending.data + client.pending.at, in_memory(client), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) return false;
      if (n <= 0) {
        client.broken = true;
        return false;
      }
      client.pending.at += static_cast<size_t>(n);
      client.took_ms = steady_ms();
    }
  } while (refill(client));
  return !client.broken;
}

// In a process of its own, which has nothing else of the supervisor's: the container and its files are free to go.
[[noreturn]] void serve_to_the_end(Client* const* clients, int count) {
  constexpr unsigned kHighest = ~0U;
  unsigned next = 0;
  for (;;) {
    unsigned kept = kHighest;
    for (int i = 0; i < count; i++) {
      for (int fd : {clients[i]->fd, clients[i]->spill}) {
        if (fd >= 0 && static_cast<unsigned>(fd) >= next && static_cast<unsigned>(fd) < kept)
          kept = static_cast<unsigned>(fd);
      }
    }
    if (kept > next) sys::close_range(next, kept == kHighest ? kHighest : kept - 1, 0);
    if (kept == kHighest) break;
    next = kept + 1;
  }
  struct pollfd fds[kMaxClients];
  for (;;) {
    nfds_t left = 0;
    for (int i = 0; i < count; i++) {
      Client& client = *clients[i];
      if (client.fd < 0) continue;
      if (flush(client) || client.broken) {
        close(client.fd);
        client.fd = -1;
      } else {
        fds[left++] = {client.fd, POLLOUT, 0};
      }
    }
    if (left == 0) _exit(0);
    poll(fds, left, -1);
  }
}

}  // namespace

bool has_backlog(const Client& client) { return backlog(client) > 0; }

void send_or_keep(Supervisor& s, Client& client, const Header& header, const void* data) {
  size_t total = sizeof header + header.length;
  size_t sent = 0;
  if (!has_backlog(client)) {
    struct iovec parts[2] = {{const_cast<Header*>(&header), sizeof header}, {const_cast<void*>(data), header.length}};
    struct msghdr message = {};
    message.msg_iov = parts;
    message.msg_iovlen = header.length ? 2 : 1;
    ssize_t n = sendmsg(client.fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno != EAGAIN && errno != EINTR) {
      client.broken = true;
      return;
    }
    if (n > 0) sent = static_cast<size_t>(n);
    if (sent == total) return;
    client.took_ms = steady_ms();
    keep(s, client, header, data, sent);
    watch_client(s, client);
  } else {
    keep(s, client, header, data, 0);
  }
  review_hold(s);
}

void flush_client(Supervisor& s, Client& client) {
  if (flush(client)) watch_client(s, client);
  review_hold(s);
}

void forget_backlog(Client& client) {
  release(client.pending);
  release(client.tail);
  if (client.spill >= 0) close(client.spill);
  client.spill = -1;
}

void review_hold(Supervisor& s) {
  bool hold = false;
  int64_t longest = 0, now = steady_ms();
  for (const Client& client : s.clients) {
    // Once it waits, it waits until a good part was taken.
    if (client.fd < 0 || client.broken || backlog(client) < (s.held ? kEnough / 2 : kEnough)) continue;
    int64_t left = client.took_ms + kPatienceMs - now;
    if (left <= 0) continue;
    hold = true;
    if (left > longest) longest = left;
  }
  if (hold != s.held) {
    s.held = hold;
    watch_outputs(s, !hold);
  }
  if (hold)
    arm(s, kPatience, longest);
  else
    disarm(s, kPatience);
}

void leave_behind(Supervisor& s) {
  Client* clients[kMaxClients];
  int count = 0;
  for (Client& client : s.clients) {
    if (client.fd >= 0 && !client.broken && has_backlog(client)) clients[count++] = &client;
  }
  if (count == 0) return;
  pid_t pid = fork();
  if (pid == 0) {
    // Nobody has to wait for who is nobody's child.
    if (fork() == 0) serve_to_the_end(clients, count);
    _exit(0);
  }
  while (pid > 0 && waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace jubako
