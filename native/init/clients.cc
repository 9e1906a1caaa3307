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

void rename_subject(Supervisor& s, const uint8_t* data, size_t size) {
  static char* text = nullptr;
  char* before = text;
  text = strndup(reinterpret_cast<const char*>(data), size);
  if (text) s.plan.settings.events_subject = text;
  free(before);
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
    case protocol::kSubject:
      rename_subject(s, data, size);
      reply(s, client, 0);
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
  forget_backlog(client);
  free(client.input);
  bool had_input = client.attached & protocol::kAttachStdin;
  client = Client();
  if (had_input && s.plan.settings.stdin_once) close_input(s);
  review_hold(s);
}

void client_event(Supervisor& s, Client& client, uint32_t events) {
  if (events & EPOLLOUT) flush_client(s, client);
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

void resume_clients(Supervisor& s) {
  for (Client& client : s.clients) {
    if (client.fd >= 0 && client.input) handle_frames(s, client);
  }
}

// Who types waits until the container has taken what was typed before.
void watch_client(Supervisor& s, Client& client) {
  bool typing_waits = s.input_pending && client.attached & protocol::kAttachStdin;
  uint32_t in = typing_waits ? 0U : static_cast<uint32_t>(EPOLLIN);
  rewatch(s, client.fd, in | (has_backlog(client) ? static_cast<uint32_t>(EPOLLOUT) : 0U), &client);
}

void watch_clients(Supervisor& s) {
  for (Client& client : s.clients) {
    if (client.fd >= 0 && client.attached & protocol::kAttachStdin) watch_client(s, client);
  }
}

}  // namespace jubako
