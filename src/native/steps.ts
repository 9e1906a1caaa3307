/** Numbers and names of `native/spawn/steps.def`. */
export const steps = {
  mkdir: 1,
  'write-file': 2,
  'cgroup-mkdir': 3,
  'cgroup-write': 4,
  'cgroup-devices': 5,
  lock: 6,
  listen: 7,
  stdio: 8,
  clone: 9,
  'cgroup-join': 10,
  'find-container': 11,
  log: 12,
  'root-propagation': 20,
  'root-overlay': 21,
  'root-bind': 22,
  'root-attach': 23,
  mount: 24,
  bind: 25,
  'mkdir-in': 26,
  'device-node': 27,
  'symlink-in': 28,
  console: 29,
  mask: 30,
  'readonly-path': 31,
  'pivot-root': 32,
  'root-readonly': 33,
  loopback: 34,
  hostname: 35,
  domainname: 36,
  sysctl: 37,
  rlimit: 38,
  'oom-score-adj': 39,
  keyring: 40,
  'join-namespace': 41,
  user: 42,
  workdir: 43,
  credentials: 44,
  'no-new-privileges': 45,
  seccomp: 46,
  execute: 47,
  session: 48,
  'unshare-cgroup': 49,
  fail: 50,
  home: 51,
  'cgroup-remove': 60,
  'remove-tree': 61,
  unlink: 62,
  rmdir: 63,
} as const

export type StepName = keyof typeof steps

const names = new Map<number, string>(Object.entries(steps).map(([name, number]) => [number, name]))

export function stepName(op: number): string {
  return names.get(op) ?? `step-${op}`
}
