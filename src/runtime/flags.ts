/** clone(2) and namespaces(7). */
export const Clone = {
  newTime: 0x80,
  newMount: 0x20000,
  newCgroup: 0x2000000,
  newUts: 0x4000000,
  newIpc: 0x8000000,
  newUser: 0x10000000,
  newPid: 0x20000000,
  newNetwork: 0x40000000,
} as const

/** mount_setattr(2), fsmount(2). */
export const Attr = { readonly: 1, nosuid: 2, nodev: 4, noexec: 8, strictatime: 0x20, relatime: 0 } as const

/** mount(2). */
export const Ms = { rec: 0x4000, private: 1 << 18, slave: 1 << 19, shared: 1 << 20 } as const

/** getrlimit(2), by Docker's names. */
export const rlimitNumbers: Readonly<Record<string, number>> = {
  cpu: 0,
  fsize: 1,
  data: 2,
  stack: 3,
  core: 4,
  rss: 5,
  nproc: 6,
  nofile: 7,
  memlock: 8,
  locks: 9,
  sigpending: 10,
  msgqueue: 11,
  nice: 12,
  rtprio: 13,
  rttime: 14,
}
