#include "tar_header.h"

namespace jubako::archive {

namespace {

struct Field {
  size_t offset;
  size_t size;
};

// POSIX.1-2001 ustar, section "ustar Interchange Format".
constexpr Field kName{0, 100}, kMode{100, 8}, kUid{108, 8}, kGid{116, 8}, kSize{124, 12}, kMtime{136, 12};
constexpr Field kChecksum{148, 8}, kLink{157, 100}, kMagic{257, 8}, kMajor{329, 8}, kMinor{337, 8};
constexpr Field kPrefix{345, 155}, kStarPrefix{345, 131}, kStarTrailer{508, 4};
constexpr size_t kType = 156;

std::string_view field(const uint8_t* block, Field at) {
  return {reinterpret_cast<const char*>(block) + at.offset, at.size};
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\0')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\0')) text.remove_suffix(1);
  return text;
}

/** Two's complement of 256-valued digits, flagged by the first bit. */
bool parse_base256(std::string_view text, int64_t& value) {
  const bool negative = (text[0] & 0x40) != 0;
  const uint8_t flip = negative ? 0xff : 0;
  uint64_t magnitude = 0;
  for (size_t index = 0; index < text.size(); index++) {
    uint8_t digit = static_cast<uint8_t>(text[index]) ^ flip;
    if (index == 0) digit &= 0x7f;
    if (magnitude >> 55 != 0) return false;
    magnitude = magnitude << 8 | digit;
  }
  if (magnitude >> 63 != 0) return false;
  value = negative ? static_cast<int64_t>(~magnitude) : static_cast<int64_t>(magnitude);
  return true;
}

bool parse_signed(std::string_view text, int64_t& value) {
  if (!text.empty() && (text[0] & 0x80) != 0) return parse_base256(text, value);
  text = until_nul(trim(text));
  uint64_t octal = 0;
  for (char digit : text) {
    if (digit < '0' || digit > '7' || octal >> 60 != 0) return false;
    octal = octal << 3 | static_cast<uint64_t>(digit - '0');
  }
  value = static_cast<int64_t>(octal);
  return true;
}

/** Sum of all bytes with the checksum field as spaces; old writers summed signed characters. */
bool checksum_matches(const uint8_t* block) {
  uint64_t stored;
  if (!parse_number(field(block, kChecksum), stored)) return false;
  int64_t as_unsigned = 0;
  int64_t as_signed = 0;
  for (size_t index = 0; index < kBlock; index++) {
    const bool own = index >= kChecksum.offset && index < kChecksum.offset + kChecksum.size;
    const uint8_t byte = own ? ' ' : block[index];
    as_unsigned += byte;
    as_signed += static_cast<int8_t>(byte);
  }
  const auto wanted = static_cast<int64_t>(stored);
  return wanted == as_unsigned || wanted == as_signed;
}

void read_name(const uint8_t* block, TarHeader& header) {
  header.name.clear();
  const std::string_view magic = field(block, kMagic);
  header.gnu = magic == std::string_view("ustar  \0", 8);
  if (take(magic, 6) == std::string_view("ustar\0", 6)) {
    const bool star = field(block, kStarTrailer) == std::string_view("tar\0", 4);
    const std::string_view prefix = until_nul(field(block, star ? kStarPrefix : kPrefix));
    if (!prefix.empty()) {
      header.name.append(prefix);
      header.name.append("/");
    }
  }
  header.name.append(until_nul(field(block, kName)));
}

}  // namespace

bool is_zero_block(const uint8_t* block) {
  uint64_t all = 0;
  for (size_t index = 0; index < kBlock; index += sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, block + index, sizeof word);
    all |= word;
  }
  return all == 0;
}

bool parse_number(std::string_view text, uint64_t& value) {
  int64_t number;
  if (!parse_signed(text, number) || number < 0) return false;
  value = static_cast<uint64_t>(number);
  return true;
}

bool parse_header(const uint8_t* block, TarHeader& header, Fault& fault) {
  if (!checksum_matches(block)) return fault.malformed({"a tar header has a wrong checksum"});
  header.type = static_cast<char>(block[kType]);
  read_name(block, header);
  header.link.assign(until_nul(field(block, kLink)));
  fault.at(header.name.view());

  Numbers& numbers = header.numbers;
  numbers = {};
  uint64_t mode;
  if (!parse_number(field(block, kSize), numbers.size)) return fault.malformed({"invalid size"});
  if (!parse_number(field(block, kMode), mode)) return fault.malformed({"invalid mode"});
  if (!parse_number(field(block, kUid), numbers.uid)) return fault.malformed({"invalid user id"});
  if (!parse_number(field(block, kGid), numbers.gid)) return fault.malformed({"invalid group id"});
  if (!parse_signed(field(block, kMtime), numbers.mtime)) return fault.malformed({"invalid modification time"});
  header.mode = static_cast<uint32_t>(mode & 07777);
  header.major = header.minor = 0;
  if (header.type == '3' || header.type == '4') {
    if (!parse_number(field(block, kMajor), header.major) || !parse_number(field(block, kMinor), header.minor)) {
      return fault.malformed({"invalid device number"});
    }
  }
  return true;
}

bool parse_decimal(std::string_view text, uint64_t& value) {
  if (text.empty() || text.size() > 19) return false;
  uint64_t number = 0;
  for (char digit : text) {
    if (digit < '0' || digit > '9') return false;
    number = number * 10 + static_cast<uint64_t>(digit - '0');
  }
  if (number >> 63 != 0) return false;
  value = number;
  return true;
}

bool parse_time(std::string_view text, int64_t& seconds, uint32_t& nanoseconds) {
  const bool negative = !text.empty() && text[0] == '-';
  if (negative) text.remove_prefix(1);
  const size_t point = text.find('.');
  const std::string_view whole = take(text, point);
  uint64_t number = 0;
  if (!parse_decimal(whole, number)) return false;
  uint32_t fraction = 0;
  if (point != std::string_view::npos) {
    uint32_t unit = 100'000'000;
    for (char digit : drop(text, point + 1)) {
      if (digit < '0' || digit > '9') return false;
      fraction += unit * static_cast<uint32_t>(digit - '0');
      unit /= 10;
    }
  }
  seconds = static_cast<int64_t>(number);
  nanoseconds = fraction;
  if (negative) {
    seconds = -seconds;
    if (fraction != 0) {
      seconds -= 1;
      nanoseconds = 1'000'000'000 - fraction;
    }
  }
  return true;
}

}  // namespace jubako::archive
