/**
 * Debian packages this repository uses, each with the file or command that shows it is there and the reason.
 *
 * `command` is looked up on PATH, `file` is an absolute path or a list of alternatives. A row counts as present when one
 * of them exists, so hand-installed tools and other distributions are accepted too.
 *
 * @typedef {{ package: string, command?: string, file?: string | string[], reason: string }} PackageRow
 */

const multiarch = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' }[process.arch] ?? `${process.arch}-linux-gnu`

/** @type {PackageRow[]} */
export const BUILD_PACKAGES = [
  { package: 'g++', command: 'g++', reason: 'compiles the addon and jubako-init (C++20)' },
  { package: 'make', command: 'make', reason: 'node-gyp drives make' },
  { package: 'python3', command: 'python3', reason: 'node-gyp generates the makefiles with Python' },
  {
    package: 'libc6-dev',
    file: [`/usr/lib/${multiarch}/libc.a`, '/usr/lib/libc.a', '/usr/lib64/libc.a'],
    reason: 'jubako-init is static',
  },
  { package: 'zlib1g-dev', file: '/usr/include/zlib.h', reason: 'gzip of rotated logs' },
  {
    package: 'libdeflate-dev',
    file: '/usr/include/libdeflate.h',
    reason: 'gzip of layers that are pushed, checksums of those that come',
  },
  { package: 'libzstd-dev', file: '/usr/include/zstd.h', reason: 'zstd layers' },
  { package: 'liblzma-dev', file: '/usr/include/lzma.h', reason: 'xz archives in ADD' },
  { package: 'libbz2-dev', file: '/usr/include/bzlib.h', reason: 'bzip2 archives in ADD' },
  { package: 'libssl-dev', file: '/usr/include/openssl/evp.h', reason: 'sha256 with the CPU instructions for it' },
]

/** @type {PackageRow[]} */
export const TEST_PACKAGES = [
  { package: 'git', command: 'git', reason: 'the linter reads .gitignore through git' },
  { package: 'clang-format', command: 'clang-format', reason: 'format check of native/' },
  { package: 'gcc', command: 'gcc', reason: 'small C payloads of the tests' },
  {
    package: 'busybox-static',
    file: '/var/lib/dpkg/info/busybox-static.list',
    reason: 'the smallest real image, and the VM initramfs',
  },
  { package: 'debootstrap', command: 'debootstrap', reason: 'a real Debian image' },
  { package: 'ca-certificates', file: '/etc/ssl/certs/ca-certificates.crt', reason: 'apt mirrors over https' },
  { package: 'skopeo', command: 'skopeo', reason: 'second opinion on image formats; fills the test registry' },
  { package: 'podman', command: 'podman', reason: 'another engine that runs what is pushed and saved here' },
  { package: 'buildah', command: 'buildah', reason: 'a maker of images that run here' },
  { package: 'umoci', command: 'umoci', reason: 'a second opinion on image layouts' },
  { package: 'docker-registry', command: 'docker-registry', reason: 'a real registry to pull from' },
  { package: 'docker.io', command: 'docker', reason: 'the docker command; its daemon is not started' },
  { package: 'docker-compose', command: 'docker-compose', reason: 'a client of the Docker Engine API' },
  { package: 'chromium', command: 'chromium', reason: 'a real browser for the page of the registry' },
  { package: 'curl', command: 'curl', reason: 'a plain HTTP client, on unix sockets and with certificates' },
  { package: 'bzip2', command: 'bzip2', reason: 'archives for ADD made by the reference tool' },
  { package: 'openssl', command: 'openssl', reason: 'certificates for the https registry' },
  { package: 'iproute2', command: 'ip', reason: 'network state before and after, for the leak check' },
  { package: 'nftables', command: 'nft', reason: 'packet filter rules before and after, for the leak check' },
  { package: 'iptables', command: 'iptables', reason: 'what stands in where nftables is missing' },
  { package: 'openssh-client', command: 'ssh-agent', reason: 'an agent for RUN --mount=type=ssh' },
  { package: 'procps', command: 'ps', reason: 'process state in failure reports' },
  { package: 'attr', command: 'setfattr', reason: 'extended attributes in layers' },
  { package: 'libcap2-bin', command: 'setcap', reason: 'file capabilities in layers' },
  { package: 'xz-utils', command: 'xz', reason: 'debootstrap unpacks .deb files' },
  { package: 'zstd', command: 'zstd', reason: 'zstd layers made by the reference tool' },
  { package: 'tar', command: 'tar', reason: 'layers made by the reference tool' },
  { package: 'qemu-system-x86', command: 'qemu-system-x86_64', reason: 'the VM with pure cgroup v2' },
  {
    package: 'qemu-system-common',
    file: ['/usr/lib/qemu/virtiofsd', '/usr/libexec/virtiofsd'],
    reason: 'virtiofsd: the VM sees this root file system',
  },
  { package: 'kmod', command: 'modprobe', reason: 'module dependencies of the VM kernel' },
  { package: 'cpio', command: 'cpio', reason: 'the VM initramfs' },
  { package: 'e2fsprogs', command: 'mkfs.ext4', reason: 'disk images for the VM' },
]

/** @type {PackageRow[]} */
export const BENCH_PACKAGES = [
  { package: 'gcc', command: 'gcc', reason: 'the oracle is C' },
  { package: 'libc6-dev', file: [`/usr/lib/${multiarch}/libc.a`, '/usr/lib/libc.a'], reason: 'the oracle is static' },
  { package: 'busybox-static', file: '/var/lib/dpkg/info/busybox-static.list', reason: 'the image that is started' },
]
