// lanes: host
/** Builds that are ended at any moment: nothing is half-tagged, nothing stays, and the next build works. */
import { readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { cli, result } from '../helpers/cli.js'
import { testEngine } from '../helpers/engine.js'
import { watchLeaks } from '../helpers/leaks.js'

const TEXT = [
  'FROM base AS one',
  'RUN --mount=type=cache,target=/cache --mount=type=tmpfs,target=/scratch head -c 3000000 /dev/urandom > /made && cp /made /cache/x',
  'COPY --from=base /bin /copied',
  'FROM base AS two',
  'RUN --mount=type=secret,id=s cat /run/secrets/s; for i in 1 2 3 4 5 6; do echo $i > /f$i; done; sleep 0.1',
  'FROM base',
  'COPY --from=one /made /copied /one/',
  'COPY --from=two /f1 /f2 /',
  'WORKDIR /deep/down/here',
  'RUN ls / > /listing',
].join('\n')

for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const) {
  t.test(`${signal} at any moment`, async (t) => {
    const it = await testEngine(t)
    await it.engine.tag(it.image, 'base')
    const jubako = cli(it)
    const argv = ['build', '--no-cache', '-t', 'half', '--secret', 'id=s,env=HOME', '-']
    const begun = Date.now()
    const whole = await jubako.run(argv, { input: TEXT })
    t.equal(whole.code, 0, whole.stderr)
    const length = Date.now() - begun
    await jubako.run(['rmi', 'half'])
    await jubako.run(['builder', 'prune', '-af'])
    const leaks = watchLeaks({
      roots: [it.root, it.runRoot],
      mayAppear: /\/(blobs|layers|images|ingest|leases|bin|trash|networks|events|names|build)(\/|$)/,
      cgroups: ['jubako'],
    })
    const moments = 6
    for (let i = 0; i < moments; i++) {
      const child = jubako.start(argv)
      child.stdin.on('error', () => {})
      child.stdin.end(TEXT)
      const ended = result(child)
      await sleep(((i + Math.random()) / moments) * length)
      child.kill(signal)
      const { code, stderr } = await ended
      const tagged = (await it.engine.images()).some(({ tags }) => tags.includes('half:latest'))
      if (code === 0) {
        t.ok(tagged, 'it was faster')
        await jubako.run(['rmi', '-f', 'half'])
        continue
      }
      // Named as the last thing: killed after that it is whole.
      if (tagged) {
        t.equal((await jubako.run(['run', '--rm', '--network', 'none', 'half', 'cat', '/listing'])).code, 0)
        await jubako.run(['rmi', '-f', 'half'])
      }
      if (signal !== 'SIGKILL') t.ok(code === 130 || code === 143 || code === null, `${code} ${stderr}`)
    }
    // Whoever comes next puts away what was left.
    const next = await jubako.run(['build', '-q', '-'], { input: 'FROM base\nRUN true\n' })
    t.equal(next.code, 0, next.stderr)
    t.strictSame(readdirSync(`${it.root}/build/tmp`), [])
    t.strictSame((await jubako.run(['ps', '-aq'])).stdout, '')
    t.strictSame(readdirSync(`${it.root}/containers`), [])
    await leaks.check()
    t.equal((await jubako.run(argv, { input: TEXT })).code, 0)
  })
}
