#pragma once

#include <initializer_list>
#include <string_view>

#include "list.h"

namespace jubako::archive {

/** Why unpacking stopped. The values are part of the wire format (`src/archive/frames.ts`). */
enum class FaultKind : uint8_t {
  kNone = 0,
  /** The compressed stream or the tar stream is not well formed, or ends early. */
  kMalformed = 1,
  /** The archive asks for something no layer may do. */
  kHostile = 2,
  /** A limit of the plan was exceeded. */
  kLimit = 3,
  /** A system call failed. */
  kSystem = 4,
  /** Well formed, but not supported. */
  kUnsupported = 5,
};

/** The first failure of a run: what was being done, to which entry, and why it stopped. */
class Fault {
 public:
  bool set() const { return kind_ != FaultKind::kNone; }
  FaultKind kind() const { return kind_; }
  int error() const { return error_; }
  std::string_view call() const { return call_; }
  std::string_view entry() const { return entry_.view(); }
  std::string_view reason() const { return reason_.view(); }

  /** Names the entry that later failures are about. */
  void at(std::string_view entry) { current_ = entry; }

  /** Keeps the first failure. Always returns false, so that callers can `return fault.fail(...)`. */
  bool fail(FaultKind kind, std::initializer_list<std::string_view> reason);
  bool malformed(std::initializer_list<std::string_view> reason) { return fail(FaultKind::kMalformed, reason); }
  bool hostile(std::initializer_list<std::string_view> reason) { return fail(FaultKind::kHostile, reason); }
  bool limit(std::initializer_list<std::string_view> reason) { return fail(FaultKind::kLimit, reason); }

  /** Takes over another failure in place of its own. */
  void replace(const Fault& other);

  /** A system call failed with `error` (an errno value). */
  bool system(const char* call, int error, std::initializer_list<std::string_view> reason = {});

 private:
  FaultKind kind_ = FaultKind::kNone;
  int error_ = 0;
  const char* call_ = "";
  std::string_view current_;
  Text entry_;
  Text reason_;
};

/** Decimal digits of a number, usable as a `string_view` for the life of the value. */
class Decimal {
 public:
  explicit Decimal(uint64_t value) {
    start_ = sizeof digits_;
    do {
      digits_[--start_] = static_cast<char>('0' + value % 10);
      value /= 10;
    } while (value != 0);
  }
  operator std::string_view() const { return {digits_ + start_, sizeof digits_ - start_}; }

 private:
  char digits_[20];
  size_t start_;
};

}  // namespace jubako::archive
