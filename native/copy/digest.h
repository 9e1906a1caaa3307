// One digest of all that a request names.
#pragma once

#include <string_view>

#include "../archive/list.h"
#include "../archive/sha256.h"
#include "metadata.h"

namespace jubako::copy {

// What one entry adds; the digest of a file's contents comes when it was read.
struct Record {
  size_t at, size;  // the text of its fields
  uint8_t contents[archive::Sha256::kSize];
  bool has_contents;
};

class Digest {
 public:
  // Notes an entry: 'd' directory, 'f' file, 'l' link, 's' special. Times do not count.
  // `attributes`: a descriptor that has them, or -1. Null with errno: they cannot be read.
  Record* record(char kind, std::string_view path, const Meta& meta, int attributes, std::string_view more);
  // When all contents are there.
  void finish(uint8_t* digest);

 private:
  archive::Text fields_;
  archive::List<Record*> records_;
};

}  // namespace jubako::copy
