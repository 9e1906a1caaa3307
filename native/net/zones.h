// The names of networks, as files: <zone>/names/<name>/<address> for each address of a name, and
// <zone>/reverse/<address>, a symbolic link to the name. Whoever gives an address away writes them; nothing is cached,
// so an answer is always what holds now.
#pragma once

#include <cstddef>

#include "dns_message.h"

namespace jubako::dns {

constexpr size_t kMaxAddresses = 256;

struct Zone {
  char* directory = nullptr;
  char* suffix = nullptr;  // the network's name: `web.shop` is `web` of the network `shop`
  bool forwards = false;   // other names may be asked for outside
};

// Addresses of `type`'s family. False: no zone knows the name.
bool look_up(const Zone* zones, size_t count, const Query& query, Address* list, size_t& found);

// The name of an address.
bool look_up_address(const Zone* zones, size_t count, const char* address, char* name, size_t size);

}  // namespace jubako::dns
