/**
 * Calls that resolve a path string from the process's root or working directory. Inside a root file system, an image or
 * a build context every path is hostile, so native code opens by descriptor; the wrappers live in native/sys.
 */
const PATH_CALLS =
  /(?<![\w.>:]|->)(?:::)?(?:open|open64|creat|fopen|opendir|mkdir|rmdir|unlink|rename|symlink|mknod|mkfifo|mount|umount2?|chmod|chown|lchown|truncate|utimes|chdir|chroot|stat|lstat|readlink|realpath|setxattr|lsetxattr|getxattr|lgetxattr)\s*\(/

/** Files that may, with the reason. */
const ALLOWED = {
  'native/hello/': 'runs inside the container as its payload: its paths are its own',
}

function blankCommentsAndStrings(source) {
  const blank = (text) => text.replace(/[^\n]/g, ' ')
  return source.replace(/\/\/[^\n]*|\/\*[\s\S]*?\*\/|R"\(([\s\S]*?)\)"|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'/g, blank)
}

/**
 * @param {string} file Path relative to the checkout.
 * @returns {{ file: string, line: number, text: string }[]}
 */
export function findPathCalls(file, source) {
  if (file.startsWith('native/sys/') || Object.keys(ALLOWED).some((prefix) => file.startsWith(prefix))) return []
  const original = source.split('\n')
  return blankCommentsAndStrings(source)
    .split('\n')
    .flatMap((text, index) => (PATH_CALLS.test(text) ? [{ file, line: index + 1, text: original[index].trim() }] : []))
}
