#include "pax_text.h"

namespace jubako::archive {

namespace {

int hex_digit(char digit) {
  if (digit >= '0' && digit <= '9') return digit - '0';
  if (digit >= 'a' && digit <= 'f') return digit - 'a' + 10;
  if (digit >= 'A' && digit <= 'F') return digit - 'A' + 10;
  return -1;
}

int base64_digit(char digit) {
  if (digit >= 'A' && digit <= 'Z') return digit - 'A';
  if (digit >= 'a' && digit <= 'z') return digit - 'a' + 26;
  if (digit >= '0' && digit <= '9') return digit - '0' + 52;
  if (digit == '+') return 62;
  if (digit == '/') return 63;
  return -1;
}

}  // namespace

bool decode_percent(std::string_view text, Text& decoded) {
  for (size_t index = 0; index < text.size(); index++) {
    if (text[index] != '%') {
      decoded.push(text[index]);
      continue;
    }
    if (text.size() - index < 3) return false;
    const int high = hex_digit(text[index + 1]);
    const int low = hex_digit(text[index + 2]);
    if (high < 0 || low < 0) return false;
    decoded.push(static_cast<char>(high << 4 | low));
    index += 2;
  }
  return true;
}

bool decode_base64(std::string_view text, Text& decoded) {
  while (!text.empty() && text.back() == '=') text.remove_suffix(1);
  uint32_t bits = 0;
  int count = 0;
  for (char digit : text) {
    const int value = base64_digit(digit);
    if (value < 0) return false;
    bits = bits << 6 | static_cast<uint32_t>(value);
    count += 6;
    if (count >= 8) {
      count -= 8;
      decoded.push(static_cast<char>(bits >> count));
    }
  }
  return true;
}

}  // namespace jubako::archive
