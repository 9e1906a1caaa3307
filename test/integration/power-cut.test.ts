// lanes: host
// The power of a VM goes at random moments of pulls, commits, removals and pushes to a registry. Whatever was reported is whole afterwards, nothing
// half-made is visible, and everything can be pulled again. A moment: the VM stands still while its disk is copied; the
// copy is what a power cut would have left. JUBAKO_POWER_CUTS: how many moments. JUBAKO_POWER_BOOTS: how many times the
// VM is killed and booted again.
import { randomInt } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { temporaryDirectory } from '../helpers/image-store.js'
import { tool } from '../helpers/processes.js'
import { makeDisk, type RunningVm, runInVm } from '../vm/vm.js'

const CUTS = Number(process.env.JUBAKO_POWER_CUTS ?? 6)
const BOOTS = Number(process.env.JUBAKO_POWER_BOOTS ?? 0)
const GUEST = fileURLToPath(new URL('../vm/power-cut-guest.js', import.meta.url))

t.setTimeout((BOOTS + 1) * 200_000 + CUTS * 60_000)

/** What must be there, by what the guest said before the power went. */
class Promises {
  /** Of images. */
  readonly ids = new Set<string>()
  /** The last push that a registry acknowledged, by the run that made it. */
  readonly pushes = new Map<string, string>()
  #rest = ''

  get all(): string[] {
    return [...this.ids, ...[...this.pushes].map((it) => it.join(':'))]
  }

  hear(text: string): void {
    const lines = (this.#rest + text).split('\n')
    // What has no end yet may have been cut off.
    this.#rest = lines.pop() ?? ''
    for (const line of lines) {
      const [what, id = '', last = ''] = line.split(' ')
      if (what === 'pulled' || what === 'committed') this.ids.add(id)
      else if (what === 'removing') this.ids.delete(id)
      else if (what === 'stored') this.pushes.set(id, last)
    }
  }

  forgetRest(): void {
    this.#rest = ''
  }
}

/** Mounts a disk of the VM where only the checking process sees it. */
function check(disk: string, place: string, promised: string): Promise<string> {
  mkdirSync(place, { recursive: true })
  const script = `mount -o loop "$1" "$2" && exec "$3" "$4" check "$2/data/root" "$5"`
  return tool('unshare', ['-m', 'sh', '-c', script, 'sh', disk, place, process.execPath, GUEST, promised])
}

t.test(`${CUTS} moments, ${BOOTS} boots`, async (t) => {
  const place = temporaryDirectory(t)
  const [disk, copy] = [join(place, 'disk'), join(place, 'copy')]
  makeDisk(disk, 2 ** 30)
  const promises = new Promises()
  const checks: { promised: number; said: string }[] = []

  const moments = async (vm: RunningVm, count: number) => {
    for (let i = 0; i < count; i++) {
      await sleep(randomInt(100, 2000))
      vm.freeze()
      // What the guest had said by then is on its way.
      await sleep(100)
      const promised = promises.all
      await tool('cp', ['--sparse=always', disk, copy])
      vm.thaw()
      const said = await check(copy, join(place, 'mounted'), promised.join(','))
      checks.push({ promised: promised.length, said })
    }
  }

  for (let boot = 0; boot <= BOOTS; boot++) {
    const share = Math.ceil((CUTS - checks.length) / (BOOTS + 1 - boot))
    let vm: RunningVm | undefined
    let working: Promise<void> | undefined
    let failure: unknown
    let output = ''
    const result = await runInVm(`exec node ${GUEST} work /var/lib/vm/root ${promises.all.join(',')}`, {
      disk,
      memoryMiB: 1024,
      timeoutMs: 180_000 + share * 60_000,
      onStart: (started) => {
        vm = started
      },
      onOutput: (text) => {
        promises.hear(text)
        output += text
        if (working !== undefined || !/^working$/m.test(output)) return
        working = moments(vm!, share)
          .catch((error: unknown) => {
            failure = error
          })
          .finally(() => vm!.cut())
      },
    })
    await working
    promises.forgetRest()
    t.equal(failure, undefined, `boot ${boot}: what the cuts left is whole`)
    t.equal(result.ended, 'power cut', `the guest goes on until then: ${output.slice(-200)}`)
    if (failure !== undefined || result.ended !== 'power cut') return t.comment(result.console.slice(-2000))
  }
  for (const { promised, said } of checks) {
    t.match(said, /^checked .*, \d+ promised\n(pulled .*\n)+checked .*\n$/, `${promised} promised`)
  }
  t.equal(checks.length, CUTS)
  t.ok(
    checks.some(({ promised }) => promised > 0),
    'something had been promised',
  )
  t.ok(promises.pushes.size > 0, 'and something pushed')
})
