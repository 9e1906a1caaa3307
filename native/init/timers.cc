#include <signal.h>
#include <time.h>

#include "../sys/linux.h"
#include "supervisor.h"

namespace jubako {

int64_t steady_ms() {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

void arm(Supervisor& s, Timer timer, int64_t milliseconds) { s.timers[timer] = steady_ms() + milliseconds; }

void disarm(Supervisor& s, Timer timer) { s.timers[timer] = 0; }

int timer_wait(const Supervisor& s) {
  int64_t next = 0;
  for (int64_t due : s.timers) {
    if (due && (!next || due < next)) next = due;
  }
  if (!next) return -1;
  constexpr int64_t kLongest = 1 << 30;
  int64_t left = next - steady_ms();
  return static_cast<int>(left < 0 ? 0 : left > kLongest ? kLongest : left);
}

namespace {

void kill_first(Supervisor& s) {
  if (s.pidfd && !s.reaped) sys::pidfd_send_signal(s.pidfd.get(), SIGKILL);
}

struct Due {
  Timer timer;
  void (*act)(Supervisor&);
};

constexpr Due kDue[] = {
    {kLifeLimit, kill_first}, {kStopTimeout, kill_first},       {kBackOff, [](Supervisor& s) { s.waiting = false; }},
    {kPatience, review_hold}, {kProbeTimeout, probe_timed_out}, {kProbe, probe},
};

}  // namespace

void run_timers(Supervisor& s) {
  int64_t now = steady_ms();
  for (const Due& due : kDue) {
    if (!s.timers[due.timer] || s.timers[due.timer] > now) continue;
    s.timers[due.timer] = 0;
    due.act(s);
  }
}

}  // namespace jubako
