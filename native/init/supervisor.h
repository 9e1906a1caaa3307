// The supervisor of one process: of a container's first one (role supervise) or of an exec'd one (role exec).
#pragma once

#include <sys/types.h>

#include "../spawn/child.h"
#include "../spawn/plan.h"
#include "../spawn/protocol.h"
#include "../sys/fd.h"
#include "log.h"
#include "network.h"

namespace jubako {

constexpr int kMaxClients = 64;
constexpr size_t kChunk = 16 * 1024;

// Bytes that wait; those before `at` are gone.
struct Queue {
  uint8_t* data = nullptr;
  size_t at = 0, size = 0, room = 0;
};

// A connection: the control socket or one on the container's socket.
struct Client {
  int fd = -1;
  bool owner = false;
  bool broken = false;
  uint32_t attached = 0;  // kAttach*
  bool waits = false;     // wants kStarted and kExit
  // What its socket did not take yet (backlog.cc): in memory, then in a file, then what came after the cut.
  Queue pending, tail;
  int spill = -1;
  uint64_t spill_size = 0, spill_at = 0;
  bool cut = false;
  int64_t took_ms = 0;       // when it last took something
  uint8_t* input = nullptr;  // an incomplete frame
  size_t input_size = 0, input_room = 0;
};

// One output of the container: a pipe's read end or the terminal.
struct Output {
  int fd = -1;
  uint32_t frame = 0;  // kStdout or kStderr
  uint32_t mask = 0;
  LogStream log;
};

enum Timer { kLifeLimit, kBackOff, kProbe, kProbeTimeout, kStopTimeout, kPatience, kTimerCount };

// Namespaces made for the first process before it exists (step kNamespaces).
struct Namespaces {
  uint64_t flags = 0;  // CLONE_NEW*
  Fd network, ipc;
};

struct Health;
// Steps about its networks that came after its start.
struct SentSteps {
  uint8_t* memory = nullptr;  // what the rest points into
  Bytes later;                // instead of those between kNetworks and kNetworksEnd, in later lives
  Bytes end;                  // before those of the plan, when all is over
};

struct Supervisor {
  bool of_exec = false;             // of a further process in a container
  const char* container = nullptr;  // the socket of that container, once it is found
  Plan plan;
  int epoll = -1;
  int listener = -1;
  int lock = -1;
  Fd files;  // lock of the writable layer, for one life
  Namespaces namespaces;
  Fd root;              // overlay made for the first process before it exists (step kMakeRoot)
  bool denied = false;  // another supervisor has the lock: what is there is its own
  Client clients[kMaxClients];
  Output outputs[2];
  int input = -1;  // write end of standard input, or the terminal
  uint8_t* input_pending = nullptr;
  size_t input_pending_size = 0, input_pending_at = 0;
  bool input_closing = false;
  int terminal = -1;       // master
  int terminal_peer = -1;  // slave, kept open: the master must not hang up between two openers
  int child_stdio[3] = {-1, -1, -1};
  Fd pidfd;
  Fd mounts;  // mount namespace of the first process: it need not take it apart before it can be reaped
  pid_t pid = -1;
  int status = -1;  // socket to the child until it executed
  bool started = false;
  bool failed = false;
  bool reaped = false;
  Failure failure;
  Log log;
  int64_t started_ms = 0;
  protocol::ExitInfo exit = {};
  bool killed = false;
  int64_t timers[kTimerCount] = {};  // when they are due by the steady clock in milliseconds; 0: never
  bool held = false;                 // nothing is read of the outputs: a reader is behind
  bool stopping = false;             // somebody wants its end: it is not started again
  bool restart_anyway = false;       // the end that comes is for a new start
  bool waiting = false;              // for the next start
  uint32_t restarts = 0;
  uint32_t back_off_ms = 0;
  Health* health = nullptr;
  Network network;
  SentSteps sent;
};

// clients.cc
bool add_client(Supervisor& s, int fd, bool owner);
void accept_clients(Supervisor& s);
void client_event(Supervisor& s, Client& client, uint32_t events);
void send_frame(Supervisor& s, Client& client, uint32_t type, const void* data, uint32_t size);
void broadcast(Supervisor& s, uint32_t type, const void* data, uint32_t size);
void drop_client(Supervisor& s, Client& client);
void watch_client(Supervisor& s, Client& client);
void watch_clients(Supervisor& s);
void resume_clients(Supervisor& s);

// backlog.cc
bool has_backlog(const Client& client);
// Writes what the socket takes of {header, data}; the rest waits.
void send_or_keep(Supervisor& s, Client& client, const protocol::Header& header, const void* data);
void flush_client(Supervisor& s, Client& client);
void forget_backlog(Client& client);
// Whether the outputs have to wait.
void review_hold(Supervisor& s);
// A process of its own serves those who have not taken everything; they may be dropped then.
void leave_behind(Supervisor& s);

// streams.cc
bool open_streams(Supervisor& s, Failure& f);
void adopt_terminal(Supervisor& s, int master, int slave);
void output_event(Supervisor& s, Output& output);
void watch_outputs(Supervisor& s, bool on);
void drain_outputs(Supervisor& s);
bool write_input(Supervisor& s, const uint8_t* data, size_t size);
void input_event(Supervisor& s);
void close_input(Supervisor& s);

void close_streams(Supervisor& s);

// namespaces.cc
bool make_namespaces(Supervisor& s, Reader& r, Failure& f);
// In the first process.
bool enter_namespaces(const Namespaces& made, Failure& f);

// host_steps.cc
bool run_host_steps(Supervisor& s, StepList steps, Failure& f);
// All of them, whatever fails.
void run_exit_steps(Supervisor& s, StepList steps);
void run_sent_end(Supervisor& s);
bool run_sent_steps(Supervisor& s, const uint8_t* data, size_t size, Failure& f);
void kill_everything(Supervisor& s);

// supervise.cc
int run_supervisor(Supervisor& s);

// exec.cc
// Connects to a running container and joins its pid namespace, which takes effect for children.
bool find_container(Supervisor& s, Reader& r, Failure& f);
// The same program from its beginning, for another exec of its owner. Returns when that is not possible.
void begin_again(Supervisor& s);

// record.cc
void record_start(Supervisor& s);
void record_exit(Supervisor& s);
void read_oom(Supervisor& s);
void record_failure(Supervisor& s, const Failure& failure);
// Writes a file that readers see whole: to `path`.tmp first.
void replace_file(const char* path, const char* text, size_t size);
int64_t now_ms();

// events.cc
// `action` is a JSON string, `more` further attributes: `,"name":"value"`.
void event(const Supervisor& s, const char* action, const char* more);
void event_exit(const Supervisor& s);
// timers.cc
int64_t steady_ms();
void arm(Supervisor& s, Timer timer, int64_t milliseconds);
void disarm(Supervisor& s, Timer timer);
// Milliseconds until the next one is due, -1: none.
int timer_wait(const Supervisor& s);
void run_timers(Supervisor& s);

// restart.cc
// Decides, when it has ended, whether it is started again.
bool wants_restart(Supervisor& s);
// Waits until the next start is due; false when a stop came instead.
bool wait_for_restart(Supervisor& s);
// A stop of the supervisor's own: the signal, and SIGKILL later.
void stop_container(Supervisor& s);

// health.cc
void start_health(Supervisor& s);
void end_health(Supervisor& s);
void probe(Supervisor& s);
void probe_timed_out(Supervisor& s);
// Whether the event was one of the health check's.
bool health_event(Supervisor& s, void* who);

// loop.cc
void watch(Supervisor& s, int fd, uint32_t events, void* who);
void rewatch(Supervisor& s, int fd, uint32_t events, void* who);
void unwatch(Supervisor& s, int fd);
void supervise(Supervisor& s);
// Gives the pid of the first process back.
void bury(Supervisor& s);
// One round of waiting and acting, for at most `milliseconds` (-1: as long as it takes). Returns what epoll_wait did.
int wait_and_dispatch(Supervisor& s, int milliseconds);

}  // namespace jubako
