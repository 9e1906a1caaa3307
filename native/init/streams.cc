#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "../spawn/start.h"
#include "supervisor.h"

namespace jubako {

namespace {

constexpr uint32_t kFrames[3] = {0, protocol::kStdout, protocol::kStderr};
constexpr uint32_t kMasks[3] = {protocol::kAttachStdin, protocol::kAttachStdout, protocol::kAttachStderr};

bool make_pipe(int& ours, int& theirs, bool reading, Failure& f) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) < 0) return fail(f, errno, "pipe2");
  ours = ends[reading ? 0 : 1];
  theirs = ends[reading ? 1 : 0];
  if (fcntl(ours, F_SETFL, O_NONBLOCK) < 0) return fail(f, errno, "fcntl", "O_NONBLOCK");
  return true;
}

void add_output(Supervisor& s, int index, int fd) {
  Output& output = s.outputs[index - 1];
  output.fd = fd;
  output.frame = kFrames[index];
  output.mask = kMasks[index];
  output.log.name = index == 1 ? "stdout" : "stderr";
  watch(s, fd, EPOLLIN, &output);
}

void close_output(Supervisor& s, Output& output) {
  unwatch(s, output.fd);
  close(output.fd);
  if (s.input == output.fd) s.input = -1;
  output.fd = -1;
  if (s.terminal >= 0) s.terminal = -1;
}

// One read, to the log and to every attached client. False when there was nothing.
bool pump(Supervisor& s, Output& output) {
  uint8_t chunk[kChunk];
  ssize_t n = read(output.fd, chunk, sizeof chunk);
  if (n < 0 && errno == EINTR) return true;
  if (n < 0 && errno == EAGAIN) return false;
  if (n <= 0) {
    close_output(s, output);
    return false;
  }
  s.log.write(output.log, chunk, static_cast<size_t>(n));
  for (Client& client : s.clients) {
    if (client.fd >= 0 && client.attached & output.mask)
      send_frame(s, client, output.frame, chunk, static_cast<uint32_t>(n));
  }
  return true;
}

}  // namespace

void close_streams(Supervisor& s) {
  for (Output& output : s.outputs) {
    if (output.fd >= 0) close_output(s, output);
  }
  if (s.input >= 0) {
    unwatch(s, s.input);
    close(s.input);
    s.input = -1;
  }
  free(s.input_pending);
  s.input_pending = nullptr;
  s.input_pending_size = s.input_pending_at = 0;
  s.input_closing = false;
  if (s.terminal_peer >= 0) close(s.terminal_peer);
  s.terminal = s.terminal_peer = -1;
}

bool open_streams(Supervisor& s, Failure& f) {
  const Settings& settings = s.plan.settings;
  for (int i = 0; i < 3; i++) {
    switch (settings.streams[i]) {
      case Stream::kNull:
      case Stream::kPty: break;
      case Stream::kPassed:
        s.child_stdio[i] = kFirstFd + static_cast<int>(settings.stream_index[i]);
        if (fcntl(s.child_stdio[i], F_SETFD, FD_CLOEXEC) < 0) return fail(f, errno, "fcntl", "stdio");
        break;
      case Stream::kPipe: {
        int ours;
        if (!make_pipe(ours, s.child_stdio[i], i > 0, f)) return false;
        if (i == 0)
          s.input = ours;
        else
          add_output(s, i, ours);
        break;
      }
    }
  }
  return true;
}

void adopt_terminal(Supervisor& s, int master, int slave) {
  s.terminal = master;
  s.terminal_peer = slave;
  s.input = master;
  fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
  add_output(s, 1, master);
}

void output_event(Supervisor& s, Output& output) {
  if (!s.held) pump(s, output);
}

void watch_outputs(Supervisor& s, bool on) {
  for (Output& output : s.outputs) {
    // Level-triggered hang-ups cannot be masked: a paused descriptor leaves the set.
    if (output.fd >= 0) rewatch(s, output.fd, on ? static_cast<uint32_t>(EPOLLIN) : 0U, &output);
  }
}

// What the container wrote before it ended. Another process may still hold the pipe (a shared pid namespace) and write
// on: a pipe's fill is all there is to wait for.
void drain_outputs(Supervisor& s) {
  constexpr size_t kLargestPipe = 1 << 20;
  for (Output& output : s.outputs) {
    for (size_t chunks = kLargestPipe / kChunk; chunks > 0 && output.fd >= 0 && pump(s, output); chunks--) {
    }
    if (output.fd >= 0) close_output(s, output);
    s.log.end(output.log);
  }
}

bool write_input(Supervisor& s, const uint8_t* data, size_t size) {
  if (s.input < 0) return true;
  size_t at = 0;
  while (at < size) {
    ssize_t n = write(s.input, data + at, size - at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) break;
    if (n < 0) {
      close_input(s);
      return true;
    }
    at += static_cast<size_t>(n);
  }
  if (at == size) return true;
  s.input_pending = static_cast<uint8_t*>(malloc(size - at));
  if (!s.input_pending) return false;
  memcpy(s.input_pending, data + at, size - at);
  s.input_pending_size = size - at;
  s.input_pending_at = 0;
  watch_clients(s);
  if (s.input == s.terminal)
    rewatch(s, s.terminal, EPOLLIN | EPOLLOUT, &s.outputs[0]);
  else
    watch(s, s.input, EPOLLOUT, &s.input);
  return true;
}

void input_event(Supervisor& s) {
  if (!s.input_pending) return;
  while (s.input_pending_at < s.input_pending_size) {
    ssize_t n = write(s.input, s.input_pending + s.input_pending_at, s.input_pending_size - s.input_pending_at);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) break;  // the reader is gone
    s.input_pending_at += static_cast<size_t>(n);
  }
  bool gone = s.input_pending_at < s.input_pending_size;
  free(s.input_pending);
  s.input_pending = nullptr;
  if (s.input == s.terminal)
    rewatch(s, s.terminal, EPOLLIN, &s.outputs[0]);
  else
    unwatch(s, s.input);
  if (gone || s.input_closing) close_input(s);
  watch_clients(s);
  resume_clients(s);
}

void close_input(Supervisor& s) {
  // A terminal has no end of input: the next client types on.
  if (s.input < 0 || s.input == s.terminal) return;
  if (s.input_pending && !s.input_closing) {
    s.input_closing = true;
    return;
  }
  close(s.input);
  s.input = -1;
}

}  // namespace jubako
