// The supervisor of one process: of a container's first one (role supervise) or of an exec'd one (role exec).
#pragma once

#include <sys/types.h>

#include "../spawn/child.h"
#include "../spawn/plan.h"
#include "../spawn/protocol.h"
#include "../sys/fd.h"
#include "log.h"

namespace jubako {

constexpr int kMaxClients = 64;
constexpr size_t kChunk = 16 * 1024;

// A connection: the control socket or one on the container's socket. Output that does not fit its socket waits here;
// while it waits nothing is read from the container, so that no byte is lost and memory stays bounded.
struct Client {
  int fd = -1;
  bool owner = false;
  bool broken = false;
  uint32_t attached = 0;  // kAttach*
  bool waits = false;     // wants kStarted and kExit
  uint8_t* pending = nullptr;
  size_t pending_size = 0, pending_at = 0;
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

struct Supervisor {
  Plan plan;
  int epoll = -1;
  int listener = -1;
  int lock = -1;
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
};

// clients.cc
bool add_client(Supervisor& s, int fd, bool owner);
void accept_clients(Supervisor& s);
void client_event(Supervisor& s, Client& client, uint32_t events);
void send_frame(Supervisor& s, Client& client, uint32_t type, const void* data, uint32_t size);
void broadcast(Supervisor& s, uint32_t type, const void* data, uint32_t size);
bool any_pending(const Supervisor& s);
void drop_client(Supervisor& s, Client& client);

// streams.cc
bool open_streams(Supervisor& s, Failure& f);
void adopt_terminal(Supervisor& s, int master, int slave);
void output_event(Supervisor& s, Output& output);
void watch_outputs(Supervisor& s, bool on);
void drain_outputs(Supervisor& s);
bool write_input(Supervisor& s, const uint8_t* data, size_t size);
void input_event(Supervisor& s);
void close_input(Supervisor& s);

// host_steps.cc
bool run_host_steps(Supervisor& s, StepList steps, Failure& f);
void run_exit_steps(Supervisor& s);
void kill_everything(Supervisor& s);

// record.cc
void record_start(Supervisor& s);
void record_exit(Supervisor& s);
void read_oom(Supervisor& s);
int64_t now_ms();

// events.cc
// `action` is a JSON string, `more` further attributes: `,"name":"value"`.
void event(const Supervisor& s, const char* action, const char* more);
void event_exit(const Supervisor& s);

// loop.cc
void watch(Supervisor& s, int fd, uint32_t events, void* who);
void rewatch(Supervisor& s, int fd, uint32_t events, void* who);
void unwatch(Supervisor& s, int fd);
void supervise(Supervisor& s);

}  // namespace jubako
