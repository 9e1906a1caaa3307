// The roles of jubako-init, each a main program of its own. All find the control socket on kControlFd, where their plan
// is the first frame; start with every signal blocked and return the process's exit status.
#pragma once

namespace jubako {

// argv[2]: what ps shows of this process beside its role.
extern char* process_title;

int supervise_main();
int exec_main();
int exec_again_main();
int unpack_main();
int pack_main();
int files_main();
int copy_main();

}  // namespace jubako
