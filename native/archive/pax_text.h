#pragma once

#include "list.h"

namespace jubako::archive {

/** Encodings of libarchive's LIBARCHIVE.xattr records: `%XX` in the name, base64 without line feeds in the value. */
bool decode_percent(std::string_view text, Text& decoded);
bool decode_base64(std::string_view text, Text& decoded);

}  // namespace jubako::archive
