// The plan of one process as src/runtime made it: settings, then lists of steps. Decoded in place; every string
// stays in the buffer. src/native/plan.ts writes exactly these fields in this order.
#pragma once

#include <cstdint>

#include "../sys/bytes.h"
#include "../sys/failure.h"

namespace jubako {

enum Op : uint16_t {
#define STEP(number, identifier, name) identifier = number,
#include "steps.def"
#undef STEP
};

struct Step {
  Op op;
  Reader fields;
};

class StepList {
 public:
  StepList() = default;
  explicit StepList(Reader reader) : reader_(reader) {}
  // False at the end or on a malformed list.
  bool next(Step& step) {
    if (reader_.left() < 8) return false;
    step.op = static_cast<Op>(reader_.u32());
    Bytes body = reader_.bytes();
    step.fields = Reader(body.data, body.size);
    return reader_.ok();
  }

 private:
  Reader reader_;
};

enum class Stream : uint32_t {
  kNull = 0,    // /dev/null
  kPassed = 1,  // descriptor number `kFirstFd + index`
  kPipe = 2,    // a pipe that jubako-init serves to attached clients and the log
  kPty = 3,     // the pseudo-terminal
};

enum class KillKind : uint32_t {
  kInit = 0,        // only the first process: its pid namespace takes the rest along
  kCgroupKill = 1,  // write 1 to the path
  kProcs = 2,       // freeze, kill every pid in the path, thaw
};

enum class RestartPolicy : uint32_t { kNo = 0, kOnFailure = 1, kAlways = 2, kUnlessStopped = 3 };

enum class HealthAction : uint32_t { kNone = 0, kKill = 1, kRestart = 2, kStop = 3 };

// A command that is executed in the container from time to time to see whether it is well. Times in milliseconds.
struct HealthSettings {
  Bytes plan;  // of role exec, with both outputs to the control socket; empty: no checks
  const char* title = "";
  const char* path = "";  // where the results go
  uint64_t interval = 0, timeout = 0, start_period = 0, start_interval = 0;
  uint32_t retries = 0;
  HealthAction action = HealthAction::kNone;
  const char* paused_path = "";  // no checks while this file contains that text
  const char* paused_text = "";
};

struct Settings {
  uint64_t clone_flags = 0;
  const char* into_cgroup = "";  // directory for CLONE_INTO_CGROUP; empty: none
  uint32_t owned = 0;            // end of the control socket kills everything
  Stream streams[3] = {};
  uint32_t stream_index[3] = {};
  uint32_t attach_mask = 0;  // what the control socket is attached to from the start
  uint32_t stdin_once = 0;   // standard input closes when the first client attached to it leaves
  uint32_t rows = 0, columns = 0;
  const char* log_path = "";         // empty: no log
  uint64_t log_max_size = 0;         // bytes, 0: no rotation
  uint32_t log_max_files = 1;        // the current one counts
  uint32_t log_compress = 0;         // the older ones
  const char* log_attributes = "";   // JSON object, in every line; empty: none
  const char* spill_directory = "";  // where output waits for readers that lag
  const char* exit_path = "";        // where the exit record goes; empty: nowhere
  const char* state_path = "";       // gets {"pid":...} when started; empty: nowhere
  const char* state_text = "";       // further JSON members of that record, each with a comma before it
  const char* oom_path = "";
  const char* oom_key = "";
  KillKind kill = KillKind::kInit;
  const char* kill_path = "";
  const char* freezer_path = "";
  uint32_t reusable = 0;            // exec: waits for another plan afterwards
  uint32_t kill_on_end = 0;         // kill the rest of the cgroup when the first process ended
  const char* events_path = "";     // the journal of events; empty: none
  uint64_t events_limit = 0;        // bytes from which on it is renamed
  const char* events_subject = "";  // JSON: the members that say what the event is about, `attributes` still open
  const char* event_started = "";   // JSON string: the action when the command runs, and when it ended
  const char* event_ended = "";
  RestartPolicy restart = RestartPolicy::kNo;
  uint32_t restart_max = 0;    // on failure: most restarts, 0: no end
  uint64_t life_limit_ms = 0;  // then it is killed; 0: never
  int32_t stop_signal = 15;    // how a stop of its own begins
  int64_t stop_timeout_ms = 10000;
  HealthSettings health;
};

struct Plan {
  Settings settings;
  StepList begin;                // once, before all
  StepList host, beside, child;  // at each start
  StepList exit;                 // after each end
  StepList end;                  // once, after all
};

bool decode_plan(const uint8_t* data, size_t size, Plan& plan, Failure& f);

// Reads one frame of the control socket before it is served. The bytes live as long as the process. Empty, without a
// failure, when the starter went away or thought better of it.
Bytes receive_frame(int control, uint32_t& type, Failure& f);

// The frame that a worker's control socket begins with.
Bytes receive_plan(int control, Failure& f);

const char* step_name(int op);

}  // namespace jubako
