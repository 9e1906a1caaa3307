#include "roles.h"
namespace jubako {
int supervise_main() { return 0; }
int exec_main() { return 0; }
}  // namespace jubako
