#include "dns_message.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace jubako::dns {

namespace {

constexpr uint32_t kTtl = 600;
constexpr uint16_t kClassIn = 1, kTypeOpt = 41;
constexpr size_t kOptRecord = 11;

uint16_t read16(const uint8_t* at) { return static_cast<uint16_t>(at[0] << 8 | at[1]); }

uint8_t* put16(uint8_t* at, uint16_t value) {
  at[0] = static_cast<uint8_t>(value >> 8);
  at[1] = static_cast<uint8_t>(value);
  return at + 2;
}

uint8_t* put32(uint8_t* at, uint32_t value) { return put16(put16(at, value >> 16), value & 0xffff); }

// An uncompressed name; 0 when it is malformed.
size_t read_name(const uint8_t* message, size_t size, size_t at, char* text) {
  size_t used = 0;
  while (at < size) {
    size_t length = message[at++];
    if (length == 0) {
      text[used ? used - 1 : 0] = 0;
      return at;
    }
    if (length > 63 || at + length > size || used + length + 1 > kMaxName) return 0;
    for (size_t i = 0; i < length; i++) {
      char c = static_cast<char>(message[at++]);
      if (c == 0 || c == '/' || c == '.') return 0;
      text[used++] = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    }
    text[used++] = '.';
  }
  return 0;
}

// Header and question; records come behind.
uint8_t* begin(const uint8_t* message, const Query& query, uint8_t rcode, uint8_t* reply) {
  memcpy(reply, message, query.question_end);
  reply[2] = static_cast<uint8_t>(0x80 | (message[2] & 0x79));  // QR, opcode and RD as asked
  reply[3] = static_cast<uint8_t>(0x80 | rcode);                // RA
  put16(reply + 4, query.question_end > kHeader ? 1 : 0);
  memset(reply + 6, 0, 6);
  return reply + query.question_end;
}

size_t end(const Query& query, uint8_t* reply, uint8_t* at, size_t count, bool truncated) {
  put16(reply + 6, static_cast<uint16_t>(count));
  if (truncated) reply[2] |= 0x02;
  if (query.extended) {
    put16(reply + 10, 1);
    *at++ = 0;
    at = put16(at, kTypeOpt);
    at = put16(at, 4096);
    at = put32(at, 0);
    at = put16(at, 0);
  }
  return static_cast<size_t>(at - reply);
}

uint8_t* put_record(uint8_t* at, uint16_t type, uint16_t length) {
  at = put16(at, 0xc000 | kHeader);
  at = put16(at, type);
  at = put16(at, kClassIn);
  at = put32(at, kTtl);
  return put16(at, length);
}

}  // namespace

Parsed parse(const uint8_t* message, size_t size, Query& query, uint8_t& rcode) {
  if (size < kHeader || message[2] & 0x80) return Parsed::kIgnore;
  query.question_end = kHeader;
  rcode = kFormError;
  if (message[2] & 0x78) {
    rcode = kNotImplemented;
    return Parsed::kRefuse;
  }
  if (read16(message + 4) != 1) return Parsed::kRefuse;
  size_t at = read_name(message, size, kHeader, query.name);
  if (at == 0 || at + 4 > size) return Parsed::kRefuse;
  query.type = read16(message + at);
  query.question_end = at + 4;
  // The one additional record that matters: root name, OPT, the size in place of the class.
  at = query.question_end;
  if (read16(message + 6) == 0 && read16(message + 8) == 0 && read16(message + 10) > 0 && at + kOptRecord <= size &&
      message[at] == 0 && read16(message + at + 1) == kTypeOpt) {
    query.extended = true;
    size_t wanted = read16(message + at + 3);
    query.udp_size = wanted < kMaxUdp ? kMaxUdp : wanted > 4096 ? 4096 : wanted;
  }
  if (read16(message + query.question_end - 2) != kClassIn) query.type = 0;
  return Parsed::kQuery;
}

size_t reply_empty(const uint8_t* message, const Query& query, uint8_t rcode, uint8_t* reply) {
  return end(query, reply, begin(message, query, rcode, reply), 0, false);
}

size_t reply_addresses(const uint8_t* message, const Query& query, const Address* list, size_t count, uint8_t* reply,
                       size_t room) {
  uint8_t* at = begin(message, query, kNoError, reply);
  size_t written = 0;
  for (; written < count; written++) {
    uint16_t length = list[written].family == AF_INET ? 4 : 16;
    if (static_cast<size_t>(at - reply) + 12 + length + (query.extended ? kOptRecord : 0) > room) break;
    at = put_record(at, query.type, length);
    memcpy(at, list[written].bytes, length);
    at += length;
  }
  return end(query, reply, at, written, written < count);
}

size_t reply_name(const uint8_t* message, const Query& query, const char* name, uint8_t* reply, size_t room) {
  uint8_t* at = begin(message, query, kNoError, reply);
  uint16_t length = static_cast<uint16_t>(strlen(name) + 2);
  if (static_cast<size_t>(at - reply) + 12 + length + kOptRecord > room) return end(query, reply, at, 0, true);
  at = put_record(at, kTypePtr, length);
  while (*name) {
    size_t label = strcspn(name, ".");
    *at++ = static_cast<uint8_t>(label);
    memcpy(at, name, label);
    at += label;
    name += label + (name[label] == '.');
  }
  *at++ = 0;
  // Labels of another length than computed, as by two dots in a row, would make a broken record.
  uint8_t* data = reply + query.question_end + 12;
  put16(data - 2, static_cast<uint16_t>(at - data));
  return end(query, reply, at, 1, false);
}

bool reverse_address(const char* name, char* text, size_t size) {
  unsigned parts[4];
  int used = 0;
  if (sscanf(name, "%3u.%3u.%3u.%3u.in-addr.arpa%n", parts, parts + 1, parts + 2, parts + 3, &used) == 4 && used > 0 &&
      name[used] == 0) {
    snprintf(text, size, "%u.%u.%u.%u", parts[3], parts[2], parts[1], parts[0]);
    return true;
  }
  // 32 nibbles, the last first.
  if (strlen(name) != 64 + 8 || strcmp(name + 64, "ip6.arpa") != 0) return false;
  uint8_t bytes[16] = {};
  for (int i = 0; i < 32; i++) {
    char digit[2] = {name[2 * i], 0};
    char* stop;
    unsigned long value = strtoul(digit, &stop, 16);
    if (*stop || stop == digit || name[2 * i + 1] != '.') return false;
    int nibble = 31 - i;
    bytes[nibble / 2] |= static_cast<uint8_t>(value << (nibble % 2 ? 0 : 4));
  }
  return inet_ntop(AF_INET6, bytes, text, static_cast<socklen_t>(size)) != nullptr;
}

}  // namespace jubako::dns
