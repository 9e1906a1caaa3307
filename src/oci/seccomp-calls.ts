/** Words of a text; a line that begins with `#` is a comment. */
const list = (text: string): string[] =>
  text
    .replace(/^ *#.*$/gm, '')
    .trim()
    .split(/\s+/)

// Docker's default profile (github.com/moby/profiles, seccomp 0.2.3), grouped by what the calls are about.

/** Calls that every container may make, whatever their arguments. */
export const allowedCalls: readonly string[] = list(`
  # files by path
  access chdir chmod chown chown32 creat execve execveat faccessat faccessat2 fchmodat fchmodat2 fchownat fstatat64
  futimesat getcwd lchown lchown32 link linkat lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open
  openat openat2 readlink readlinkat rename renameat renameat2 rmdir stat stat64 statfs statfs64 statx symlink symlinkat
  truncate truncate64 umask unlink unlinkat utime utimensat utimensat_time64 utimes
  # open files
  _llseek close close_range copy_file_range dup dup2 dup3 fadvise64 fadvise64_64 fallocate fchdir fchmod fchown fchown32
  fcntl fcntl64 fdatasync flock fstat fstat64 fstatfs fstatfs64 fsync ftruncate ftruncate64 getdents getdents64 ioctl lseek
  pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readv sendfile sendfile64 splice sync
  sync_file_range syncfs tee vmsplice write writev
  # extended attributes
  fgetxattr flistxattr fremovexattr fsetxattr getxattr getxattrat lgetxattr listxattr listxattrat llistxattr lremovexattr
  lsetxattr removexattr removexattrat setxattr setxattrat
  # waiting for and telling of events
  _newselect epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd
  eventfd2 fanotify_mark inotify_add_watch inotify_init inotify_init1 inotify_rm_watch poll ppoll ppoll_time64 pselect6
  pselect6_time64 select signalfd signalfd4
  # asynchronous I/O of the old kind, I/O priority
  io_cancel io_destroy io_getevents io_pgetevents io_pgetevents_time64 io_setup io_submit ioprio_get ioprio_set
  # memory
  brk cachestat madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mmap2
  mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease
  remap_file_pages
  # processes and threads
  exit exit_group fork get_robust_list get_thread_area getpgid getpgrp getpid getppid getpriority getsid gettid kill pause
  pidfd_open pidfd_send_signal prctl restart_syscall rseq set_robust_list set_thread_area set_tid_address setpgid
  setpriority setsid tgkill tkill uretprobe vfork wait4 waitid waitpid
  # signals
  rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait
  rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack sigprocmask sigreturn
  # scheduling
  getcpu sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler
  sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam sched_setscheduler
  sched_yield
  # locks between threads
  futex futex_requeue futex_time64 futex_wait futex_waitv futex_wake
  # clocks and timers
  adjtimex alarm clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64
  clock_nanosleep clock_nanosleep_time64 getitimer gettimeofday nanosleep setitimer time timer_create timer_delete
  timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime
  timerfd_gettime64 timerfd_settime timerfd_settime64 times
  # users, groups, capabilities
  capget capset getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getresgid getresgid32 getresuid
  getresuid32 getuid getuid32 setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32 setregid
  setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32 setuid setuid32
  # limits and facts about the system
  getrandom getrlimit getrusage listmount prlimit64 riscv_hwprobe setrlimit statmount sysinfo ugetrlimit uname
  # System V and POSIX message queues, semaphores, shared memory
  ipc mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink
  msgctl msgget msgrcv msgsnd semctl semget semop semtimedop semtimedop_time64 shmat shmctl shmdt shmget
  # sockets, once they are made
  accept accept4 bind connect getpeername getsockname getsockopt listen recv recvfrom recvmmsg recvmmsg_time64 recvmsg send
  sendmmsg sendmsg sendto setsockopt shutdown socketcall socketpair
  # confining oneself further
  landlock_add_rule landlock_create_ruleset landlock_restrict_self seccomp
`)

/** Calls that every container on one architecture may make. */
export const archCalls: Readonly<Record<string, readonly string[]>> = {
  amd64: list('arch_prctl modify_ldt'),
  arm64: list('arm_fadvise64_64 arm_sync_file_range breakpoint cacheflush set_tls sync_file_range2'),
}

/** Calls on other processes' memory; before Linux 4.8 they were a way around the filter. */
export const tracingCalls: readonly string[] = list('process_vm_readv process_vm_writev ptrace')

/** Calls that come with a capability. */
export const capabilityCalls: readonly (readonly [capability: string, calls: readonly string[]])[] = [
  ['CAP_BPF', ['bpf']],
  ['CAP_DAC_READ_SEARCH', ['open_by_handle_at']],
  ['CAP_PERFMON', ['perf_event_open']],
  [
    'CAP_SYS_ADMIN',
    list(`
      bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick lookup_dcookie lsm_get_self_attr lsm_list_modules
      lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd setdomainname
      sethostname setns syslog umount umount2 unshare
    `),
  ],
  ['CAP_SYS_BOOT', ['reboot']],
  ['CAP_SYS_CHROOT', ['chroot']],
  ['CAP_SYS_MODULE', list('delete_module finit_module init_module')],
  ['CAP_SYS_NICE', list('get_mempolicy mbind set_mempolicy set_mempolicy_home_node')],
  ['CAP_SYS_PACCT', ['acct']],
  ['CAP_SYS_PTRACE', list('kcmp pidfd_getfd process_madvise process_vm_readv process_vm_writev ptrace')],
  ['CAP_SYS_RAWIO', list('ioperm iopl')],
  ['CAP_SYS_TIME', list('clock_settime clock_settime64 settimeofday stime')],
  ['CAP_SYS_TTY_CONFIG', ['vhangup']],
  ['CAP_SYSLOG', ['syslog']],
]
