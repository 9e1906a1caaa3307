import { existsSync, readFileSync, statfsSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { kernelRelease } from './peers.js'

const FILE_SYSTEMS: Readonly<Record<number, string>> = {
  61267: 'ext4',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  16914836: 'tmpfs',
  2035054128: 'overlay',
}

/** What about this machine bears on the numbers; nothing that identifies it. */
export function machineFacts(work: string): string[] {
  const model = cpus()[0]?.model.trim() ?? 'unknown processor'
  const version2 = existsSync('/sys/fs/cgroup/cgroup.controllers')
  const release = /^PRETTY_NAME="(.*)"/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'Linux'
  const type = statfsSync(work).type
  return [
    `${cpus().length} CPUs (${model}), ${Math.round(totalmem() / 2 ** 30)} GiB of memory`,
    `${release}, kernel ${kernelRelease().split('-')[0]}, ${version2 ? 'cgroup v2' : 'cgroup v1 (hybrid)'}`,
    `files on ${FILE_SYSTEMS[type] ?? `file system 0x${type.toString(16)}`}, Node ${process.version}`,
  ]
}
