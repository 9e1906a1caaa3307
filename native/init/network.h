// What a supervisor has to do with its container's networks: reserved ports, sockets inside the network namespace, and
// the name service at 127.0.0.11.
#pragma once

#include "../net/netlink.h"
#include "../net/resolver.h"
#include "../sys/bytes.h"
#include "../sys/failure.h"

namespace jubako {

struct Supervisor;

// What makes the host's table again when it is gone.
struct Heal {
  int socket = -1;  // hears of tables that go
  char* memory = nullptr;
  const char* table = nullptr;
  const char* rules = nullptr;
  Bytes own = {};
};

struct Network {
  int inside = -1;      // the container's network namespace
  int outside = -1;     // this process's own
  int sockets[2] = {};  // rtnetlink and nfnetlink of this process's namespace; 0: not open
  int inside_socket[2] = {};
  uint16_t* ports = nullptr;  // of the reservations, in their order
  int* reserved = nullptr;    // their sockets, never accepted from; two each, or -1
  size_t port_count = 0;
  Resolver resolver;
  Heal heal;
};

bool network_netlink(Supervisor& s, Reader& r, Failure& f);
bool network_reserve(Supervisor& s, Reader& r, Failure& f);
bool network_ports(Supervisor& s, Reader& r, Failure& f);
bool network_release(Supervisor& s, Reader& r, Failure& f);
bool network_name(Supervisor& s, Reader& r, Failure& f);
bool network_unname(Supervisor& s, Reader& r, Failure& f);
bool network_resolver(Supervisor& s, Reader& r, Failure& f);
bool network_resolve_in(Supervisor& s, Reader& r, Failure& f);
bool network_resolve_not(Supervisor& s, Reader& r, Failure& f);
bool network_heal(Supervisor& s, Reader& r, Failure& f);
bool network_tables(Supervisor& s, Reader& r, Failure& f);

// Opens the two network namespaces.
bool network_enter(Supervisor& s, Failure& f);

// The kernel tells of tables.
void heal_serve(Supervisor& s);
void heal_leave(Supervisor& s);

// Before the exit steps: nothing of this process keeps the namespace alive.
void network_leave(Supervisor& s);

// When all is over: the ports of the host are free again.
void network_give_up(Supervisor& s);

}  // namespace jubako
