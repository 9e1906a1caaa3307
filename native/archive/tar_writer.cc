#include "tar_writer.h"

namespace jubako::archive {

namespace {

constexpr size_t kNameSize = 100, kPrefixSize = 155;
constexpr uint64_t kMaxOctal7 = 07777777, kMaxOctal11 = 077777777777;

void put(uint8_t* block, size_t at, std::string_view text) { std::memcpy(block + at, text.data(), text.size()); }

/** `digits` octal digits and a NUL. */
void put_octal(uint8_t* block, size_t at, size_t digits, uint64_t value) {
  for (size_t i = digits; i > 0; i--) {
    block[at + i - 1] = static_cast<uint8_t>('0' + (value & 7));
    value >>= 3;
  }
  block[at + digits] = 0;
}

bool is_ascii(std::string_view text) {
  for (char c : text) {
    if (static_cast<uint8_t>(c) >= 0x80) return false;
  }
  return true;
}

/** Where a long name may be divided into prefix and name; npos when it fits neither way. */
size_t prefix_end(std::string_view name) {
  if (name.size() > kNameSize + 1 + kPrefixSize) return std::string_view::npos;
  const size_t last = name.rfind('/', kPrefixSize);
  if (last == std::string_view::npos || last == 0) return std::string_view::npos;
  const size_t rest = name.size() - last - 1;
  return rest == 0 || rest > kNameSize ? std::string_view::npos : last;
}

/** Seconds and fraction without trailing zeros, as pax(1) writes times. */
void append_time(Text& out, int64_t seconds, uint32_t nanoseconds) {
  out.append(Decimal(static_cast<uint64_t>(seconds)));
  if (nanoseconds == 0) return;
  char digits[10] = {'.'};
  for (size_t i = 9; i > 0; i--) {
    digits[i] = static_cast<char>('0' + nanoseconds % 10);
    nanoseconds /= 10;
  }
  size_t size = sizeof digits;
  while (digits[size - 1] == '0') size--;
  out.append(std::string_view(digits, size));
}

void start_block(uint8_t* block, char type, uint32_t mode) {
  std::memset(block, 0, kBlock);
  put_octal(block, 100, 7, mode);
  block[156] = static_cast<uint8_t>(type);
  put(block, 257, std::string_view("ustar\00000", 8));
}

void put_checksum(uint8_t* block) {
  std::memset(block + 148, ' ', 8);
  uint64_t sum = 0;
  for (size_t i = 0; i < kBlock; i++) sum += block[i];
  put_octal(block, 148, 6, sum);
}

}  // namespace

void TarWriter::record(std::string_view key, std::string_view value) {
  // The length counts its own digits.
  const size_t rest = key.size() + value.size() + 3;
  size_t length = rest + 1;
  auto digits = [&length] { return std::string_view(Decimal(length)).size(); };
  while (digits() + rest != length) length = digits() + rest;
  records_.append(Decimal(length));
  records_.append(" ");
  records_.append(key);
  records_.append("=");
  records_.append(value);
  records_.append("\n");
}

void TarWriter::pax(const Entry& entry, bool name_fits, bool link_fits) {
  records_.clear();
  const Numbers& numbers = entry.numbers;
  if (numbers.gid > kMaxOctal7) record("gid", Decimal(numbers.gid));
  if (!link_fits) record("linkpath", entry.link.view());
  if (numbers.mtime_ns != 0 || static_cast<uint64_t>(numbers.mtime) > kMaxOctal11) {
    Text time;
    append_time(time, numbers.mtime, numbers.mtime_ns);
    record("mtime", time.view());
  }
  if (!name_fits) record("path", entry.name.view());
  if (numbers.size > kMaxOctal11) record("size", Decimal(numbers.size));
  if (numbers.uid > kMaxOctal7) record("uid", Decimal(numbers.uid));
  Text key;
  for (const Xattrs::Item& item : entry.xattrs.items()) {
    key.assign("SCHILY.xattr.");
    key.append(entry.xattrs.name(item));
    record(key.view(), entry.xattrs.value(item));
  }
  if (records_.empty()) return;
  uint8_t block[kBlock];
  start_block(block, 'x', 0644);
  put(block, 0, "PaxHeaders.0/");
  put(block, 13, take(entry.name.view(), kNameSize - 14));
  put_octal(block, 108, 7, 0);
  put_octal(block, 116, 7, 0);
  put_octal(block, 124, 11, records_.size());
  put_octal(block, 136, 11, 0);
  put_checksum(block);
  sink_.append(block, sizeof block);
  sink_.append(records_.data(), records_.size());
  padding(records_.size());
}

void TarWriter::header(const Entry& entry) {
  const std::string_view name = entry.name.view();
  const Numbers& numbers = entry.numbers;
  const size_t division = name.size() <= kNameSize ? 0 : prefix_end(name);
  const bool name_fits = division != std::string_view::npos && is_ascii(name);
  const bool link_fits = entry.link.size() <= kNameSize && is_ascii(entry.link.view());
  pax(entry, name_fits, link_fits);

  uint8_t block[kBlock];
  start_block(block, entry.type, entry.mode & 07777);
  if (division == 0 || division == std::string_view::npos) {
    put(block, 0, take(name, kNameSize));
  } else {
    put(block, 345, take(name, division));
    put(block, 0, drop(name, division + 1));
  }
  put_octal(block, 108, 7, numbers.uid > kMaxOctal7 ? 0 : numbers.uid);
  put_octal(block, 116, 7, numbers.gid > kMaxOctal7 ? 0 : numbers.gid);
  put_octal(block, 124, 11, numbers.size > kMaxOctal11 ? 0 : numbers.size);
  const auto time = static_cast<uint64_t>(numbers.mtime);
  put_octal(block, 136, 11, time > kMaxOctal11 ? 0 : time);
  put(block, 157, take(entry.link.view(), kNameSize));
  put_octal(block, 329, 7, entry.major);
  put_octal(block, 337, 7, entry.minor);
  put_checksum(block);
  sink_.append(block, sizeof block);
}

void TarWriter::padding(uint64_t size) { sink_.zeros((kBlock - size % kBlock) % kBlock); }

void TarWriter::end() { sink_.zeros(2 * kBlock); }

}  // namespace jubako::archive
