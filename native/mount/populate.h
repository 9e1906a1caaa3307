// First use of a volume: what the image has at the mount point becomes the volume's content.
#pragma once

#include "../sys/failure.h"

namespace jubako {

// Copies the directory `from` into the directory `to` if that is empty, with owners, modes, times and extended
// attributes, and gives `to` itself those of `from`. Both are hostile: everything goes by descriptor, no link is
// followed, no mount entered. `marker` is a path beside the volume that stands while the copy is unfinished: who finds
// it after a crash copies again. Empty: the volume does not outlive this.
bool populate_volume(int from, int to, const char* marker, Failure& f);

}  // namespace jubako
