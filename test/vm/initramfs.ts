import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { CHECKOUT } from '../helpers/checkout.js'
import { type CpioEntry, cpio } from './cpio.js'
import { type Kernel, moduleFiles } from './kernel.js'

/** Kernel modules that the engine and its tests use, besides those the VM itself boots with. */
const MODULES = [
  ...['virtio_pci', 'virtio_blk', 'virtio_console', 'virtiofs', 'ext4', 'overlay', 'fuse', 'loop'],
  ...['veth', 'bridge', 'macvlan', 'ipvlan', 'tun', 'br_netfilter', 'nf_conntrack'],
  ...['nf_tables', 'nft_chain_nat', 'nft_masq', 'nft_nat', 'nft_ct', 'nft_fib_inet'],
]

const DIRECTORY = 0o040755
const EXECUTABLE = 0o100755
const FILE = 0o100644

const directories = ['bin', 'mod', 'proc', 'sys', 'dev', 'host', 'rw', 'new']

/**
 * An initramfs with busybox, the modules and `init.sh`, which makes the guest's root and runs `script` in it.
 *
 * @param script Text for bash.
 */
export function initramfs(kernel: Kernel, script: string): Buffer {
  const busybox = execFileSync('sh', ['-c', 'command -v busybox'], { encoding: 'utf8' }).trim()
  const modules = moduleFiles(kernel, MODULES)
  const entries: CpioEntry[] = [
    ...directories.map((path) => ({ path, mode: DIRECTORY })),
    { path: 'bin/busybox', mode: EXECUTABLE, data: readFileSync(busybox) },
    { path: 'init', mode: EXECUTABLE, data: readFileSync(join(CHECKOUT, 'test/vm/init.sh')) },
    ...modules.map((file) => ({ path: `mod/${basename(file)}`, mode: FILE, data: readFileSync(file) })),
    { path: 'mod/order', mode: FILE, data: Buffer.from(modules.map((file) => `${basename(file)}\n`).join('')) },
    { path: 'script', mode: FILE, data: Buffer.from(script) },
  ]
  return cpio(entries)
}
