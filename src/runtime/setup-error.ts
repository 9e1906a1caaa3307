import type { ErrorCode, JubakoError } from '../errors/index.js'
import { errnoName, nativeError } from '../native/index.js'

type Failure = Parameters<typeof nativeError>[0]

interface Rule {
  step?: string
  syscall?: string
  errno?: string
  code?: ErrorCode
  /** Instead of the errno's name and the system call: docker's words. */
  reason?: (failure: Failure) => string
  hint: string | ((failure: Failure) => string)
}

const notFound = ({ path }: Failure): string =>
  path.includes('/')
    ? `exec: "${path}": no such file or directory`
    : `exec: "${path}": executable file not found in $PATH`

/** What a person can do about a failed step; the first rule that matches counts. */
const rules: readonly Rule[] = [
  {
    step: 'execute',
    errno: 'ENOENT',
    code: 'ERR_JUBAKO_COMMAND_NOT_FOUND',
    reason: notFound,
    hint: 'check the command, the PATH inside the image and, for a script, the interpreter in its first line',
  },
  {
    step: 'execute',
    errno: 'ENOTDIR',
    code: 'ERR_JUBAKO_COMMAND_NOT_FOUND',
    hint: 'a part of the path is not a directory inside the image',
  },
  {
    step: 'execute',
    errno: 'ENOEXEC',
    code: 'ERR_JUBAKO_COMMAND_NOT_EXECUTABLE',
    hint: 'the file is for another architecture, or a script without a #! line',
  },
  {
    step: 'execute',
    errno: 'EACCES',
    code: 'ERR_JUBAKO_COMMAND_NOT_EXECUTABLE',
    reason: ({ path }) => `exec: "${path}": permission denied`,
    hint: "the container's user may not execute it: is it a directory, or lacks it the x bit?",
  },
  {
    step: 'execute',
    code: 'ERR_JUBAKO_COMMAND_NOT_EXECUTABLE',
    hint: "the container's user may not execute it: is it a directory, or lacks it the x bit?",
  },
  {
    step: 'user',
    syscall: 'user',
    errno: 'ENOENT',
    code: 'ERR_JUBAKO_INVALID_ARGUMENT',
    reason: ({ path }) => `unable to find user ${path}: no matching entries in passwd file`,
    hint: 'the image has no such user in /etc/passwd; use a number, or add the user to the image',
  },
  {
    step: 'user',
    syscall: 'group',
    errno: 'ENOENT',
    code: 'ERR_JUBAKO_INVALID_ARGUMENT',
    reason: ({ path }) => `unable to find group ${path}: no matching entries in group file`,
    hint: 'the image has no such group in /etc/group; use a number, or add the group to the image',
  },
  { step: 'user', errno: 'ERANGE', code: 'ERR_JUBAKO_INVALID_ARGUMENT', hint: 'ids go from 0 to 2147483647' },
  {
    step: 'rlimit',
    errno: 'EPERM',
    code: 'ERR_JUBAKO_UNSUPPORTED',
    hint: 'raising a limit above the hard limit of this process needs CAP_SYS_RESOURCE, which this machine does not give',
  },
  {
    step: 'oom-score-adj',
    errno: 'EACCES',
    code: 'ERR_JUBAKO_UNSUPPORTED',
    hint: 'lowering the OOM score needs CAP_SYS_RESOURCE, which this machine does not give',
  },
  { step: 'lock', errno: 'EAGAIN', code: 'ERR_JUBAKO_CONFLICT', hint: 'the container is running already' },
  {
    step: 'bind',
    syscall: 'open_tree',
    errno: 'ENOENT',
    code: 'ERR_JUBAKO_INVALID_ARGUMENT',
    hint: 'bind source path does not exist on the host; create it first, or use -v, which creates it',
  },
  {
    step: 'root-overlay',
    errno: 'ENODEV',
    code: 'ERR_JUBAKO_UNSUPPORTED',
    hint: 'this kernel has no overlayfs: load the module "overlay"',
  },
  {
    step: 'root-overlay',
    hint: "is the data root on a file system that can be an overlay's upper layer (ext4, xfs, btrfs, tmpfs; not overlayfs)?",
  },
  {
    step: 'mount',
    errno: 'ELOOP',
    code: 'ERR_JUBAKO_INTEGRITY',
    hint: 'the image has a symbolic link where a system directory must be: do not trust it',
  },
  {
    step: 'mount',
    syscall: 'openat2',
    errno: 'ENOTDIR',
    code: 'ERR_JUBAKO_INTEGRITY',
    hint: 'the image has a link or a file where a system directory must be: do not trust it',
  },
  {
    step: 'sysctl',
    errno: 'ENOENT',
    code: 'ERR_JUBAKO_INVALID_ARGUMENT',
    hint: 'this kernel has no such sysctl in the container',
  },
  { step: 'sysctl', errno: 'EINVAL', code: 'ERR_JUBAKO_INVALID_ARGUMENT', hint: 'the kernel refuses this value' },
  {
    step: 'workdir',
    errno: 'EXDEV',
    code: 'ERR_JUBAKO_INTEGRITY',
    hint: 'the working directory leads out of the container: do not trust this image',
  },
  { step: 'workdir', errno: 'ENOTDIR', code: 'ERR_JUBAKO_INVALID_ARGUMENT', hint: 'the working directory is a file' },
  {
    step: 'cgroup-write',
    hint: (failure) => `the kernel refuses the limit ${failure.path.split('/').at(-1)}`,
  },
  {
    step: 'cgroup-mkdir',
    errno: 'EROFS',
    code: 'ERR_JUBAKO_UNSUPPORTED',
    hint: 'the cgroup file system is read-only: run on the host, or in a container with a writable one',
  },
  { step: 'clone', errno: 'EPERM', code: 'ERR_JUBAKO_UNSUPPORTED', hint: 'run as root, with CAP_SYS_ADMIN' },
  { step: 'join-namespace', errno: 'ESRCH', code: 'ERR_JUBAKO_STATE', hint: 'the container ended meanwhile' },
  { step: 'cgroup-join', errno: 'ENODEV', code: 'ERR_JUBAKO_STATE', hint: 'the container ended meanwhile' },
  { step: 'cgroup-join', errno: 'ENOENT', code: 'ERR_JUBAKO_STATE', hint: 'the container ended meanwhile' },
  { step: 'clone', errno: 'ENODEV', code: 'ERR_JUBAKO_STATE', hint: 'the container ended meanwhile' },
  {
    step: 'find-container',
    code: 'ERR_JUBAKO_STATE',
    hint: 'the container is not running',
  },
]

/** The error of a failed step, with its code and remedy. */
export function setupError(failure: Failure, what: string): JubakoError {
  const plain = nativeError(failure, what)
  const name = errnoName(failure.errno)
  const rule = rules.find(
    (it) =>
      (it.step === undefined || it.step === plain.step) &&
      (it.syscall === undefined || it.syscall === failure.syscall) &&
      (it.errno === undefined || it.errno === name),
  )
  if (rule === undefined) return plain
  const hint = typeof rule.hint === 'string' ? rule.hint : rule.hint(failure)
  const reason = rule.reason?.(failure)
  return nativeError(failure, what, rule.code === undefined ? { hint, reason } : { code: rule.code, hint, reason })
}
