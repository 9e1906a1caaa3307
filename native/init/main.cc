#include <unistd.h>

#include <cstring>

#include "roles.h"

namespace {

struct Role {
  const char* name;
  int (*main)();
};

constexpr Role kRoles[] = {
    {"supervise", jubako::supervise_main}, {"exec", jubako::exec_main}, {"exec-again", jubako::exec_again_main},
    {"unpack", jubako::unpack_main},       {"pack", jubako::pack_main}, {"files", jubako::files_main},
    {"copy", jubako::copy_main},
};

}  // namespace

char* jubako::process_title;

int main(int argc, char** argv) {
  if (argc > 2) jubako::process_title = argv[2];
  for (const Role& role : kRoles) {
    if (argc > 1 && strcmp(argv[1], role.name) == 0) return role.main();
  }
  static const char kText[] = "jubako-init is started by jubako, not by hand\n";
  return write(2, kText, sizeof kText - 1) < 0 ? 3 : 2;
}
