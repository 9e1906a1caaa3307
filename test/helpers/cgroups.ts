import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, mkdirSync, openSync, rmdirSync, writeSync } from 'node:fs'
import { type CgroupPlan, type CgroupWrite, detectCgroups } from '../../src/cgroups/index.js'

/** Our own part of the hierarchies, so that nothing of a running engine is touched. */
export const testParent = `/jubako-test-${process.pid}`

function put({ path, value, required }: CgroupWrite): void {
  try {
    const fd = openSync(path, 'r+')
    writeSync(fd, value)
    closeSync(fd)
  } catch (error) {
    if (required) throw new Error(`${value} > ${path}: ${error}`)
  }
}

/** Does what a supervisor does before the container's first process. */
export function perform(plan: CgroupPlan): void {
  const make = (directory: string): void => {
    if (!existsSync(directory)) mkdirSync(directory)
  }
  plan.parents.forEach(make)
  plan.parentWrites.forEach(put)
  for (const directory of plan.directories) mkdirSync(directory)
  plan.writes.forEach(put)
}

/** Starts a shell script inside the cgroup of a plan. */
export function startIn(plan: Pick<CgroupPlan, 'join' | 'into'>, script: string, ...args: string[]): ChildProcess {
  const files = plan.into === null ? plan.join : [...plan.join, `${plan.into}/cgroup.procs`]
  const joining = files.map((file) => `echo 0 > ${file} || exit 99; `).join('')
  // One write by a builtin, in the process itself.
  return spawn('/bin/sh', ['-c', `${joining}${script}`, 'sh', ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
}

/** Runs a script inside the plan's cgroup. */
export async function runIn(
  plan: Pick<CgroupPlan, 'join' | 'into'>,
  script: string,
): Promise<{ code: number | null; signal: string | null; stdout: string }> {
  const child = startIn(plan, script)
  let stdout = ''
  child.stdout!.setEncoding('utf8').on('data', (text) => {
    stdout += text
  })
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  return { code, signal, stdout }
}

/** Removes everything below the test's parent, and the parent. */
export async function sweep(): Promise<void> {
  const host = detectCgroups()
  for (const id of host.list({ parent: testParent })) {
    const cgroup = host.open(id, { parent: testParent })
    await cgroup.kill()
    await cgroup.remove()
  }
  for (const directory of host.plan('x', {}, null, { parent: testParent }).parents.toReversed())
    if (existsSync(directory)) rmdirSync(directory)
}
