#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "../spawn/start.h"
#include "../sys/files.h"
#include "../sys/linux.h"
#include "supervisor.h"

// Health checks, as Docker has them: a command is executed in the container by a jubako-init of role exec, whose
// control socket is served here. No check follows before the one under way has ended.

namespace jubako {

namespace {

constexpr size_t kResults = 5, kMaxOutput = 4096;
constexpr int kNoExitCode = -1;

enum class Status { kStarting, kHealthy, kUnhealthy };

constexpr const char* kNames[] = {"starting", "healthy", "unhealthy"};

struct Result {
  int64_t start_ms = 0, end_ms = 0;
  int32_t code = kNoExitCode;
  uint32_t size = 0;
  bool cut = false;
  uint8_t output[kMaxOutput];
};

}  // namespace

struct Health {
  Status status = Status::kStarting;
  uint32_t streak = 0;
  Result results[kResults];
  size_t first = 0, count = 0;
  // The check under way.
  Result now;
  bool timed_out = false;
  int control = -1;
  Fd pidfd;
  // Of the frame that arrives.
  uint8_t head[sizeof(protocol::Header)];
  size_t head_size = 0;
  uint32_t left = 0, at = 0;
  uint8_t body[sizeof(Failure)];
};

namespace {

void add_output(Result& result, const void* data, size_t size) {
  size_t room = kMaxOutput - result.size;
  if (size > room) {
    size = room;
    result.cut = true;
  }
  memcpy(result.output + result.size, data, size);
  result.size += static_cast<uint32_t>(size);
}

void add_text(Result& result, const char* text) { add_output(result, text, strlen(text)); }

// Text that grows; a failed allocation leaves it as it is.
struct Text {
  char* data = nullptr;
  size_t size = 0, room = 0;
  ~Text() { free(data); }
  void add(const char* more, size_t n) {
    if (size + n > room) {
      auto* larger = static_cast<char*>(realloc(data, (size + n) * 2));
      if (!larger) return;
      data = larger;
      room = (size + n) * 2;
    }
    memcpy(data + size, more, n);
    size += n;
  }
  template <typename... Values>
  void format(const char* form, Values... values) {
    char part[192];
    int n = snprintf(part, sizeof part, form, values...);
    add(part, static_cast<size_t>(n));
  }
  void escaped(const uint8_t* text, size_t n) {
    for (size_t i = 0; i < n; i++) {
      char room_for[8];
      const char* escape = json_escape(text[i], room_for);
      if (escape)
        add(escape, strlen(escape));
      else
        add(reinterpret_cast<const char*>(text) + i, 1);
    }
  }
};

void write_record(Supervisor& s) {
  Health& health = *s.health;
  Text text;
  text.format("{\"status\":\"%s\",\"failingStreak\":%u,\"log\":[", kNames[static_cast<int>(health.status)],
              health.streak);
  for (size_t i = 0; i < health.count; i++) {
    const Result& result = health.results[(health.first + i) % kResults];
    text.format("%s{\"start\":%lld,\"end\":%lld,\"exitCode\":%d,\"output\":\"", i ? "," : "",
                static_cast<long long>(result.start_ms), static_cast<long long>(result.end_ms), result.code);
    text.escaped(result.output, result.size);
    if (result.cut) text.add("...", 3);
    text.add("\"}", 2);
  }
  text.add("]}\n", 3);
  replace_file(s.plan.settings.health.path, text.data, text.size);
}

bool in_start_period(const Supervisor& s, int64_t at_ms) {
  return s.health->status == Status::kStarting &&
         at_ms - s.started_ms < static_cast<int64_t>(s.plan.settings.health.start_period);
}

void schedule(Supervisor& s) {
  const HealthSettings& settings = s.plan.settings.health;
  arm(s, kProbe, static_cast<int64_t>(in_start_period(s, now_ms()) ? settings.start_interval : settings.interval));
}

void act_on_failure(Supervisor& s) {
  switch (s.plan.settings.health.action) {
    case HealthAction::kNone: break;
    case HealthAction::kKill:
      if (s.pidfd && !s.reaped) sys::pidfd_send_signal(s.pidfd.get(), SIGKILL);
      break;
    case HealthAction::kRestart:
      s.restart_anyway = true;
      stop_container(s);
      break;
    case HealthAction::kStop:
      s.stopping = true;
      stop_container(s);
      break;
  }
}

void judge(Supervisor& s) {
  Health& health = *s.health;
  health.now.end_ms = now_ms();
  if (health.count == kResults) health.first = (health.first + 1) % kResults;
  if (health.count < kResults) health.count++;
  health.results[(health.first + health.count - 1) % kResults] = health.now;
  Status before = health.status;
  if (health.now.code == 0) {
    health.streak = 0;
    health.status = Status::kHealthy;
  } else if (!in_start_period(s, health.now.start_ms)) {
    health.streak++;
    if (health.streak >= s.plan.settings.health.retries) health.status = Status::kUnhealthy;
  }
  write_record(s);
  if (health.status == before) return;
  char action[48];
  snprintf(action, sizeof action, "\"health_status: %s\"", kNames[static_cast<int>(health.status)]);
  event(s, action, "");
  if (health.status == Status::kUnhealthy) act_on_failure(s);
}

void take_down(Supervisor& s) {
  Health& health = *s.health;
  disarm(s, kProbeTimeout);
  if (health.control >= 0) {
    unwatch(s, health.control);
    close(health.control);
    health.control = -1;
  }
  if (!health.pidfd) return;
  // The end of its socket ends it and the command. One that hangs is not waited for.
  constexpr int kPatienceMs = 1000;
  struct pollfd ended = {health.pidfd.get(), POLLIN, 0};
  if (poll(&ended, 1, kPatienceMs) <= 0) sys::pidfd_send_signal(health.pidfd.get(), SIGKILL);
  siginfo_t info;
  waitid(static_cast<idtype_t>(P_PIDFD), static_cast<id_t>(health.pidfd.get()), &info, WEXITED | __WALL);
  health.pidfd.reset();
}

void finish_probe(Supervisor& s) {
  take_down(s);
  judge(s);
  schedule(s);
}

bool send_plan(int control, Bytes plan) {
  protocol::Header header = {protocol::kPlan, plan.size};
  struct iovec parts[2] = {{&header, sizeof header}, {const_cast<uint8_t*>(plan.data), plan.size}};
  struct msghdr message = {};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  size_t total = sizeof header + plan.size;
  return sendmsg(control, &message, MSG_NOSIGNAL) == static_cast<ssize_t>(total);
}

bool start_probe(Supervisor& s, Failure& f) {
  Health& health = *s.health;
  const HealthSettings& settings = s.plan.settings.health;
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) return fail(f, errno, "socketpair");
  Fd ours(pair[0]), theirs(pair[1]);
  Fd image(sys::open_file("/proc/self/exe", O_PATH));
  if (!image) return fail(f, errno, "open", "/proc/self/exe");
  StartRequest request = {image.get(), "exec", settings.title, theirs.get(), nullptr, 0};
  StartedInit started;
  if (!start_init(request, started, f)) return false;
  health.pidfd.reset(started.pidfd);
  if (!send_plan(ours.get(), settings.plan)) return fail(f, errno, "sendmsg");
  health.control = ours.release();
  watch(s, health.control, EPOLLIN, s.health);
  return true;
}

bool is_paused(const HealthSettings& settings) {
  if (!*settings.paused_path) return false;
  Fd fd(sys::open_file(settings.paused_path, O_RDONLY));
  char text[256];
  ssize_t n = fd ? read(fd.get(), text, sizeof text - 1) : 0;
  text[n > 0 ? n : 0] = 0;
  return strstr(text, settings.paused_text) != nullptr;
}

// A whole frame of the process that executes the check.
void take_frame(Health& health, uint32_t type, uint32_t size) {
  if (type == protocol::kExit && size >= sizeof(int32_t)) memcpy(&health.now.code, health.body, sizeof(int32_t));
  if (type != protocol::kFailed || size < sizeof(Failure)) return;
  Failure failure;
  memcpy(&failure, health.body, sizeof failure);
  add_text(health.now, "cannot execute the check: ");
  add_text(health.now, step_name(failure.op));
  add_text(health.now, ": ");
  add_text(health.now, strerror(failure.errnum));
  add_text(health.now, ": ");
  add_text(health.now, failure.path);
}

// Frames as they come: output goes on at once, of others as much as is wanted is kept.
void take_bytes(Health& health, const uint8_t* data, size_t size) {
  while (size > 0) {
    if (health.left == 0) {
      size_t n = sizeof health.head - health.head_size < size ? sizeof health.head - health.head_size : size;
      memcpy(health.head + health.head_size, data, n);
      health.head_size += n;
      data += n;
      size -= n;
      if (health.head_size < sizeof health.head) return;
      memcpy(&health.left, health.head + sizeof(uint32_t), sizeof health.left);
      health.at = 0;
      if (health.left == 0) health.head_size = 0;
      continue;
    }
    uint32_t type;
    memcpy(&type, health.head, sizeof type);
    size_t n = health.left < size ? health.left : size;
    if (type == protocol::kStdout || type == protocol::kStderr) {
      if (!health.timed_out) add_output(health.now, data, n);
    } else if (health.at < sizeof health.body) {
      size_t room = sizeof health.body - health.at;
      memcpy(health.body + health.at, data, n < room ? n : room);
    }
    health.at += static_cast<uint32_t>(n);
    health.left -= static_cast<uint32_t>(n);
    data += n;
    size -= n;
    if (health.left) return;
    health.head_size = 0;
    if (!health.timed_out) take_frame(health, type, health.at);
  }
}

}  // namespace

void start_health(Supervisor& s) {
  if (s.plan.settings.health.plan.size == 0) return;
  if (!s.health) s.health = static_cast<Health*>(malloc(sizeof(Health)));
  if (!s.health) return;
  *s.health = Health();
  write_record(s);
  schedule(s);
}

void end_health(Supervisor& s) {
  disarm(s, kProbe);
  if (s.health) take_down(s);
}

void probe(Supervisor& s) {
  Health& health = *s.health;
  const HealthSettings& settings = s.plan.settings.health;
  if (is_paused(settings)) return schedule(s);
  health.now = Result();
  health.now.start_ms = now_ms();
  health.timed_out = false;
  health.head_size = health.left = health.at = 0;
  Failure failure;
  if (start_probe(s, failure)) {
    arm(s, kProbeTimeout, static_cast<int64_t>(settings.timeout));
    return;
  }
  add_text(health.now, "cannot start the check: ");
  add_text(health.now, failure.syscall);
  finish_probe(s);
}

void probe_timed_out(Supervisor& s) {
  Health& health = *s.health;
  if (health.control < 0) return;
  char text[96];
  snprintf(text, sizeof text, "Health check exceeded timeout (%gs)",
           static_cast<double>(s.plan.settings.health.timeout) / 1000);
  health.timed_out = true;
  health.now.size = 0;
  health.now.cut = false;
  health.now.code = kNoExitCode;
  add_text(health.now, text);
  // The command dies with its jubako-init.
  finish_probe(s);
}

bool health_event(Supervisor& s, void* who) {
  if (!s.health || who != s.health) return false;
  Health& health = *s.health;
  if (health.control < 0) return true;
  uint8_t chunk[kChunk];
  ssize_t n = recv(health.control, chunk, sizeof chunk, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  if (n > 0)
    take_bytes(health, chunk, static_cast<size_t>(n));
  else
    finish_probe(s);
  return true;
}

}  // namespace jubako
