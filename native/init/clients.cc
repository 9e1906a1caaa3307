#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "../pty/pty.h"
#include "../sys/linux.h"
#include "supervisor.h"

namespace jubako {

using protocol::Header;

namespace {

// Writes what the socket takes of {header, data}; the rest waits in `pending`.
void send_or_keep(Supervisor& s, Client& client, const Header& header, const void* data) {
  size_t total = sizeof header + header.length;
  size_t sent = 0;
  if (client.pending_size == client.pending_at) {
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
    client.pending_size = client.pending_at = 0;
  }
  size_t left = total - sent;
  auto* room = static_cast<uint8_t*>(realloc(client.pending, client.pending_size + left));
  if (!room) {
    client.broken = true;
    return;
  }
  client.pending = room;
  uint8_t* to = room + client.pending_size;
  if (sent < sizeof header) {
    memcpy(to, reinterpret_cast<const uint8_t*>(&header) + sent, sizeof header - sent);
    to += sizeof header - sent;
    sent = sizeof header;
  }
  memcpy(to, static_cast<const uint8_t*>(data) + (sent - sizeof header), total - sent);
  client.pending_size += left;
  rewatch(s, client.fd, EPOLLIN | EPOLLOUT, &client);
  watch_outputs(s, false);
}

void flush(Supervisor& s, Client& client) {
  while (client.pending_at < client.pending_size) {
    ssize_t n = send(client.fd, client.pending + client.pending_at, client.pending_size - client.pending_at,
                     MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
      client.broken = true;
      return;
    }
    client.pending_at += static_cast<size_t>(n);
  }
  free(client.pending);
  client.pending = nullptr;
  client.pending_size = client.pending_at = 0;
  rewatch(s, client.fd, EPOLLIN, &client);
  if (!any_pending(s)) watch_outputs(s, true);
}

void send_pidfd(Supervisor& s, Client& client) {
  if (!s.pidfd || s.reaped) {
    int32_t error = ESRCH;
    send_frame(s, client, protocol::kDone, &error, sizeof error);
    return;
  }
  Header header = {protocol::kPidfd, 0};
  struct iovec data = {&header, sizeof header};
  alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  struct msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  struct cmsghdr* rights = CMSG_FIRSTHDR(&message);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(int));
  int fd = s.pidfd.get();
  memcpy(CMSG_DATA(rights), &fd, sizeof fd);
  if (sendmsg(client.fd, &message, MSG_NOSIGNAL) != sizeof header) client.broken = true;
}

void reply(Supervisor& s, Client& client, int error) {
  int32_t value = error;
  send_frame(s, client, protocol::kDone, &value, sizeof value);
}

// Between two lives there is nobody to get the signal, and that is no failure.
int send_signal(Supervisor& s, int signal) {
  if (s.waiting) return 0;
  if (s.reaped || !s.pidfd) return ESRCH;
  return sys::pidfd_send_signal(s.pidfd.get(), signal) < 0 ? errno : 0;
}

void handle(Supervisor& s, Client& client, uint32_t type, const uint8_t* data, uint32_t size) {
  switch (type) {
    case protocol::kAttach:
      if (size >= 4) memcpy(&client.attached, data, 4);
      break;
    case protocol::kStdin: write_input(s, data, size); break;
    case protocol::kStdinClose: close_input(s); break;
    case protocol::kResize: {
      uint16_t rows = 0, columns = 0;
      if (size >= 4) {
        memcpy(&rows, data, 2);
        memcpy(&columns, data + 2, 2);
      }
      if (s.terminal >= 0) set_window_size(s.terminal, rows, columns);
      break;
    }
    case protocol::kKill:
    case protocol::kStop: {
      int32_t signal = 0;
      if (size >= 4) memcpy(&signal, data, 4);
      if (type == protocol::kStop) s.stopping = true;
      reply(s, client, send_signal(s, signal));
      break;
    }
    case protocol::kPolicy:
      if (size >= 8) {
        memcpy(&s.plan.settings.restart, data, 4);
        memcpy(&s.plan.settings.restart_max, data + 4, 4);
      }
      reply(s, client, size >= 8 ? 0 : EINVAL);
      break;
    case protocol::kWait:
      client.waits = true;
      if (s.started) {
        int32_t pid = s.pid;
        send_frame(s, client, protocol::kStarted, &pid, sizeof pid);
      }
      break;
    case protocol::kGetPidfd: send_pidfd(s, client); break;
    case protocol::kSteps: {
      Failure failure;
      if (!s.started || s.reaped)
        fail(failure, ESRCH, "steps");
      else
        run_sent_steps(s, data, size, failure);
      send_frame(s, client, protocol::kFailed, &failure, sizeof failure);
      break;
    }
    default: client.broken = true;
  }
}

// Handles the complete frames in `input`, but none behind standard input that the container has not taken yet.
void handle_frames(Supervisor& s, Client& client) {
  size_t at = 0;
  while (!client.broken && !s.input_pending && client.input_size - at >= sizeof(Header)) {
    Header header;
    memcpy(&header, client.input + at, sizeof header);
    if (header.length > protocol::kMaxFrame) {
      client.broken = true;
      break;
    }
    if (client.input_size - at - sizeof header < header.length) break;
    handle(s, client, header.type, client.input + at + sizeof header, header.length);
    at += sizeof header + header.length;
  }
  if (at) {
    memmove(client.input, client.input + at, client.input_size - at);
    client.input_size -= at;
  }
  if (client.input_size == 0 && client.input) {
    free(client.input);
    client.input = nullptr;
    client.input_room = 0;
  }
}

void read_frames(Supervisor& s, Client& client) {
  if (s.input_pending) return;
  size_t want = kChunk;
  if (client.input_size >= sizeof(Header)) {
    Header header;
    memcpy(&header, client.input, sizeof header);
    if (header.length <= protocol::kMaxFrame && sizeof header + header.length > client.input_size + want)
      want = sizeof header + header.length - client.input_size;
  }
  if (client.input_room < client.input_size + want) {
    auto* room = static_cast<uint8_t*>(realloc(client.input, client.input_size + want));
    if (!room) {
      client.broken = true;
      return;
    }
    client.input = room;
    client.input_room = client.input_size + want;
  }
  ssize_t n = recv(client.fd, client.input + client.input_size, want, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) {
    client.broken = true;
    return;
  }
  client.input_size += static_cast<size_t>(n);
  handle_frames(s, client);
}

}  // namespace

bool add_client(Supervisor& s, int fd, bool owner) {
  for (Client& client : s.clients) {
    if (client.fd >= 0) continue;
    client = Client();
    client.fd = fd;
    client.owner = owner;
    watch(s, fd, EPOLLIN, &client);
    return true;
  }
  return false;
}

void accept_clients(Supervisor& s) {
  for (;;) {
    int fd = accept4(s.listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return;
    if (!add_client(s, fd, false)) close(fd);
  }
}

void drop_client(Supervisor& s, Client& client) {
  unwatch(s, client.fd);
  close(client.fd);
  free(client.pending);
  free(client.input);
  bool had_input = client.attached & protocol::kAttachStdin;
  client = Client();
  if (had_input && s.plan.settings.stdin_once) close_input(s);
  if (!any_pending(s)) watch_outputs(s, true);
}

void client_event(Supervisor& s, Client& client, uint32_t events) {
  if (events & EPOLLOUT) flush(s, client);
  if (!client.broken && events & (EPOLLIN | EPOLLHUP | EPOLLERR)) read_frames(s, client);
  if (!client.broken) return;
  bool ends_all = client.owner && s.plan.settings.owned;
  drop_client(s, client);
  if (ends_all) kill_everything(s);
}

void send_frame(Supervisor& s, Client& client, uint32_t type, const void* data, uint32_t size) {
  if (client.fd < 0 || client.broken) return;
  send_or_keep(s, client, Header{type, size}, data);
}

void broadcast(Supervisor& s, uint32_t type, const void* data, uint32_t size) {
  for (Client& client : s.clients) {
    if (client.fd >= 0 && (client.owner || client.waits)) send_frame(s, client, type, data, size);
  }
}

bool any_pending(const Supervisor& s) {
  for (const Client& client : s.clients) {
    if (client.fd >= 0 && client.pending_size > client.pending_at) return true;
  }
  return false;
}

void resume_clients(Supervisor& s) {
  for (Client& client : s.clients) {
    if (client.fd >= 0 && client.input) handle_frames(s, client);
  }
}

void watch_clients(Supervisor& s, bool on) {
  for (Client& client : s.clients) {
    if (client.fd < 0 || !(client.attached & protocol::kAttachStdin)) continue;
    uint32_t out = client.pending_size > client.pending_at ? static_cast<uint32_t>(EPOLLOUT) : 0U;
    rewatch(s, client.fd, (on ? static_cast<uint32_t>(EPOLLIN) : 0U) | out, &client);
  }
}

}  // namespace jubako
