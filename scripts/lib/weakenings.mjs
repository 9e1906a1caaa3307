/**
 * Builds without one of the barriers that keep a hostile container in, and what must fail on each: a test that was never
 * seen red shows nothing. `npm run test:weakened` makes them.
 *
 * `from` stands once in `file`. `red` are names of tests in `test`, a file below test/, that fail then.
 *
 * @type {{ name: string, file: string, from: string, to: string, test: string, red: string[] }[]}
 */
export const WEAKENINGS = [
  {
    name: 'what is below a shared directory or a volume is opened with all links followed',
    file: 'native/spawn/volume_steps.cc',
    from: 'constexpr uint64_t kBeneath = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;',
    to: 'constexpr uint64_t kBeneath = 0;',
    test: 'regress/volume-races',
    red: [
      'a link out of a volume, a bind or an image leads nowhere',
      'a directory that becomes a link while its path is walked, as a source',
    ],
  },
  {
    name: 'what a bind makes as its source is made through links',
    file: 'native/spawn/volume_steps.cc',
    from: 'int fd = sys::open_at2(base, path, O_PATH, kBeneath);',
    to: 'int fd = sys::open_at2(base, path, O_PATH, 0);',
    test: 'regress/volume-races',
    red: ['a directory that becomes a link while its path is walked, as a source'],
  },
  {
    name: 'the source of a bind is one string, whoever writes there',
    file: 'src/engine/mount-sources.ts',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is text of the source
    from: 'const base = shared.find((path) => source.startsWith(`${path}/`))',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is text of the source
    to: 'const base = shared.find((path) => source === `${path}//`)',
    test: 'regress/volume-races',
    red: [
      'a link out of a volume, a bind or an image leads nowhere',
      'a directory that becomes a link while its path is walked, as a source',
    ],
  },
  {
    name: 'volumes do not count as directories that containers write to',
    file: 'src/engine/mount-sources.ts',
    from: "return [context.volumes.mountpoint(mount.name), ...(device?.startsWith('/') ? [device] : [])]",
    to: 'return device === undefined ? [] : []',
    test: 'regress/volume-races',
    red: ['a link out of a volume, a bind or an image leads nowhere'],
  },
  {
    name: 'mount targets are found by joining the root and the path',
    file: 'native/mount/path.cc',
    from: 'return sys::open_at2(root, path, static_cast<uint64_t>(O_PATH | flags), kInside);',
    to: 'while (*path == \'/\') path++;\n  return sys::open_at2(root, *path ? path : ".", static_cast<uint64_t>(O_PATH | flags), 0);',
    test: 'regress/volume-races',
    red: [
      'a link out of a volume, a bind or an image leads nowhere',
      'and as a target: nothing is mounted, made or copied outside',
    ],
  },
]
