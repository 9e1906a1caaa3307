#include "digest.h"

#include <cstdlib>
#include <cstring>

namespace jubako::copy {

using archive::Sha256;

Record* Digest::record(char kind, std::string_view path, const Meta& meta, int attributes, std::string_view more) {
  Record* record = static_cast<Record*>(std::calloc(1, sizeof(Record)));
  if (record == nullptr) std::abort();
  record->at = fields_.size();
  record->has_contents = kind == 'f';
  uint32_t numbers[4] = {kind == 'l' ? 0U : meta.mode & 07777, meta.uid, meta.gid, static_cast<uint32_t>(path.size())};
  fields_.append(std::string_view(&kind, 1));
  fields_.append(std::string_view(reinterpret_cast<char*>(numbers), sizeof numbers));
  fields_.append(path);
  fields_.append(more);
  if (attributes >= 0 && !each_attribute(attributes, [&](const char* name, const char* value, size_t size) {
        fields_.append(std::string_view(name, strlen(name) + 1));
        fields_.append(std::string_view(value, size));
        return true;
      }))
    return free(record), nullptr;
  record->size = fields_.size() - record->at;
  records_.push(record);
  return record;
}

void Digest::finish(uint8_t* digest) {
  Sha256 sha;
  for (Record* record : records_) {
    uint32_t size = static_cast<uint32_t>(record->size);
    sha.update(reinterpret_cast<uint8_t*>(&size), sizeof size);
    sha.update(reinterpret_cast<uint8_t*>(fields_.data()) + record->at, record->size);
    if (record->has_contents) sha.update(record->contents, sizeof record->contents);
    free(record);
  }
  sha.finish(digest);
}

}  // namespace jubako::copy
