// DNS messages (RFC 1035, RFC 6891) as far as a name service for containers needs them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace jubako::dns {

constexpr uint16_t kTypeA = 1, kTypePtr = 12, kTypeAaaa = 28;
constexpr uint8_t kNoError = 0, kFormError = 1, kServerFailure = 2, kNotImplemented = 4;
constexpr size_t kHeader = 12, kMaxName = 254, kMaxUdp = 512;

struct Query {
  char name[kMaxName + 1] = {};  // lower case, without the last dot
  uint16_t type = 0;
  size_t question_end = 0;    // offset behind the question
  size_t udp_size = kMaxUdp;  // what the client takes
  bool extended = false;      // it sent an OPT record
};

struct Address {
  int family;
  uint8_t bytes[16];
};

enum class Parsed { kQuery, kRefuse, kIgnore };

// kRefuse: answer with `rcode`. kIgnore: not a query at all.
Parsed parse(const uint8_t* message, size_t size, Query& query, uint8_t& rcode);

// A reply without records. `reply` may hold kHeader + the question + 11 bytes at most; returns the size.
size_t reply_empty(const uint8_t* message, const Query& query, uint8_t rcode, uint8_t* reply);

// Records for the question's name. Sets TC when not all fit into `room`.
size_t reply_addresses(const uint8_t* message, const Query& query, const Address* list, size_t count, uint8_t* reply,
                       size_t room);
size_t reply_name(const uint8_t* message, const Query& query, const char* name, uint8_t* reply, size_t room);

// The address that a name below in-addr.arpa or ip6.arpa stands for, as text.
bool reverse_address(const char* name, char* text, size_t size);

}  // namespace jubako::dns
