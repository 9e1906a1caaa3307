// What the oracles have in common: errors, and the confinement of a command.
#pragma once

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MUST(call) ((long)(call) < 0 ? die(#call) : (void)0)

static void die(const char* call) {
  fprintf(stderr, "oracle: %s: %s\n", call, strerror(errno));
  _exit(99);
}

// The verdicts of the usual default profile, in their shortest form: the calls it refuses, one comparison each.
static void install_seccomp(void) {
  static const unsigned refused[] = {
      SYS_acct,
      SYS_add_key,
      SYS_bpf,
      SYS_clock_adjtime,
      SYS_clock_settime,
      SYS_delete_module,
      SYS_finit_module,
      SYS_fsconfig,
      SYS_fsmount,
      SYS_fsopen,
      SYS_fspick,
      SYS_get_mempolicy,
      SYS_init_module,
      SYS_kcmp,
      SYS_kexec_file_load,
      SYS_kexec_load,
      SYS_keyctl,
      SYS_lookup_dcookie,
      SYS_mbind,
      SYS_mount,
      SYS_mount_setattr,
      SYS_move_mount,
      SYS_move_pages,
      SYS_nfsservctl,
      SYS_open_by_handle_at,
      SYS_open_tree,
      SYS_perf_event_open,
      SYS_pivot_root,
      SYS_quotactl,
      SYS_quotactl_fd,
      SYS_reboot,
      SYS_request_key,
      SYS_set_mempolicy,
      SYS_setdomainname,
      SYS_setns,
      SYS_settimeofday,
      SYS_swapoff,
      SYS_swapon,
      SYS_syslog,
      SYS_umount2,
      SYS_unshare,
      SYS_userfaultfd,
      SYS_vhangup,
  };
  static struct sock_filter program[2 * COUNT(refused) + 16];
  unsigned short n = 0;
#if defined(__x86_64__)
  const unsigned architecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
  const unsigned architecture = AUDIT_ARCH_AARCH64;
#endif
  program[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
  program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, architecture, 1, 0);
  program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
  program[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  for (size_t i = 0; i < COUNT(refused); i++) {
    program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, refused[i], 0, 1);
    program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
  }
  program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3);
  program[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0]));
  program[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x7e020000, 0, 1);
  program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
  program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  struct sock_fprog filter = {.len = n, .filter = program};
  MUST(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter));
}

static void drop_capabilities(void) {
  const unsigned keep = 0xa80425fb;  // the 14 of the usual default
  for (int i = 0; i <= 40; i++) {
    if (i >= 32 || !(keep & (1u << i))) MUST(prctl(PR_CAPBSET_DROP, i, 0, 0, 0));
  }
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct data[2] = {{keep, keep, 0}, {0, 0, 0}};
  MUST(syscall(SYS_setgroups, 0, NULL));
  MUST(syscall(SYS_setresgid, 0, 0, 0));
  MUST(syscall(SYS_setresuid, 0, 0, 0));
  install_seccomp();  // before the capabilities go: without no_new_privs it needs CAP_SYS_ADMIN
  MUST(syscall(SYS_capset, &header, data));
}
