/**
 * Calls that resolve a path string from the process's root or working directory. Inside a root file system, an image or
 * a build context every path is hostile, so native code opens by descriptor; the wrappers live in native/sys.
 */
const PATH_CALLS =
  /(?<![\w.>:]|->|\b(?:bool|void) )(?:::)?(?:open|open64|creat|fopen|opendir|mkdir|rmdir|unlink|rename|symlink|mknod|mkfifo|mount|umount2?|chmod|chown|lchown|truncate|utimes|chdir|chroot|stat|lstat|readlink|realpath|setxattr|lsetxattr|getxattr|lgetxattr)\s*\(/

/**
 * Files that may, with the reason. `calls` is how many there are: one more is a finding again.
 *
 * @type {{ file: string, calls: number, reason: string }[]}
 */
const ALLOWED = [
  {
    file: 'native/hello/hello.c',
    calls: Number.POSITIVE_INFINITY,
    reason: 'runs in the container as its payload: its paths are its own',
  },
  {
    file: 'native/spawn/start.cc',
    calls: 3,
    reason: '/dev/null, and the data root where jubako-init is sealed, before there is any container',
  },
  {
    file: 'native/mount/filesystem.cc',
    calls: 2,
    reason: 'mount(2) and umount2(2) of the overlay on a directory of the run root, for kernels before 6.5',
  },
  {
    file: 'native/napi/mounts.cc',
    calls: 1,
    reason: 'umount2(2) of a place that the caller of the library names',
  },
  {
    file: 'native/spawn/execute.cc',
    calls: 2,
    reason: 'after pivot_root, with the credentials of the container: its PATH and its null device',
  },
  {
    file: 'native/spawn/root_steps.cc',
    calls: 4,
    reason: 'the propagation of /, "." and / around pivot_root; and a function of that name',
  },
  { file: 'native/archive/jail.cc', calls: 2, reason: 'the propagation of / and "." around pivot_root' },
  { file: 'native/copy/jail.cc', calls: 2, reason: 'the propagation of / and "." around pivot_root' },
  ...[
    ['native/archive/directories.h', 1],
    ['native/archive/gate.h', 1],
    ['native/archive/list.h', 1],
    ['native/archive/ring.h', 1],
    ['native/archive/source.h', 1],
    ['native/archive/tree_writer.cc', 1],
    ['native/archive/tree_writer.h', 1],
    ['native/archive/unpack.cc', 1],
    ['native/init/log.h', 1],
    ['native/spawn/root_steps.h', 1],
  ].map(([file, calls]) => ({ file, calls, reason: 'a method of that name, no system call' })),
  {
    file: 'native/lib/remove_tree.cc',
    calls: 3,
    reason: 'the top of the tree is in the data root; all below it goes by descriptor',
  },
]

function blankCommentsAndStrings(source) {
  const blank = (text) => text.replace(/[^\n]/g, ' ')
  return source.replace(/\/\/[^\n]*|\/\*[\s\S]*?\*\/|R"\(([\s\S]*?)\)"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g, blank)
}

/**
 * @param {string} file Path relative to the checkout.
 * @returns {{ file: string, line: number, text: string }[]}
 */
export function findPathCalls(file, source) {
  if (file.startsWith('native/sys/')) return []
  const original = source.split('\n')
  const found = blankCommentsAndStrings(source)
    .split('\n')
    .flatMap((text, index) => (PATH_CALLS.test(text) ? [{ file, line: index + 1, text: original[index].trim() }] : []))
  const allowed = ALLOWED.find((row) => row.file === file)?.calls ?? 0
  return found.length > allowed ? found : []
}
