// lanes: host
// The registry's page in a real browser: what it shows, to whom, on a phone, and that it needs nothing else.
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { accounts, INDEX, temporary, testHub } from '../fixtures/hub.js'
import { Browser } from '../helpers/browser.js'

const CONFIG = 'application/vnd.oci.image.config.v1+json'
const LAYER = 'application/vnd.oci.image.layer.v1.tar'

async function withImages(t: Test, options: Parameters<typeof testHub>[1] = {}) {
  const hub = await testHub(t, options)
  const image = async (name: string, tag: string, architecture: string) => {
    const layers = [await hub.blob(name, `layer one ${architecture}`), await hub.blob(name, 'x'.repeat(2500))]
    const config = {
      architecture,
      os: 'linux',
      created: '2024-05-06T07:08:09Z',
      config: { Cmd: ['/bin/start', '--now'] },
      rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => digest) },
      history: [
        { created_by: 'ADD rootfs.tar /' },
        { created_by: 'ENV A=<script>alert(1)</script>', empty_layer: true },
        { created_by: 'RUN make "everything" && rm -rf /tmp' },
      ],
    }
    const described = { ...(await hub.blob(name, JSON.stringify(config))), mediaType: CONFIG }
    return hub.manifest(name, tag, { config: described, layers: layers.map((it) => ({ ...it, mediaType: LAYER })) })
  }
  await image('team/app', '1.0', 'amd64')
  const members = [await image('team/app', 'arm', 'arm64'), await image('team/app', 'intel', 'amd64')]
  const manifests = members.map(({ digest, bytes }, i) => ({
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    digest,
    size: bytes.length,
    platform: { os: 'linux', architecture: i === 0 ? 'arm64' : 'amd64' },
  }))
  t.equal((await hub.manifest('team/app', 'all', { mediaType: INDEX, manifests })).put.status, 201)
  await image('secret/thing', 'latest', 'amd64')
  return hub
}

t.test('what it shows', async (t) => {
  const { server } = await withImages(t)
  const browser = await Browser.start(t)
  const page = await browser.open(`${server.url}/`)
  t.strictSame(await page.texts('main li a'), ['secret/thing', 'team/app'])
  t.match(await page.text('main'), /team\/app\s+4 tags/)
  t.strictSame(page.requests, [`${server.url}/`], 'nothing else is asked for')
  t.strictSame(page.problems, [])

  await page.click('main li:nth-child(2) a')
  t.equal(await page.text('h1'), 'team/app')
  t.strictSame(await page.texts('tbody th'), ['1.0', 'all', 'arm', 'intel'])
  t.match(await page.text('tbody tr:nth-child(2)'), /linux\/arm64, linux\/amd64/)
  t.match(await page.text('tbody tr:nth-child(1)'), /\d(\.\d+)? kB/)

  await page.click('tbody tr:nth-child(2) a')
  t.equal(await page.text('h1'), 'team/app:all')
  t.match(
    await page.text('pre'),
    `jubako pull ${server.address}/team/app:all\ndocker pull ${server.address}/team/app:all`,
  )
  t.strictSame(await page.texts('section h2'), ['linux/arm64', 'linux/amd64'])
  t.match(await page.text('section:last-of-type dl'), /\/bin\/start --now/)
  t.strictSame(await page.texts('section:last-of-type ol code'), [
    'ADD rootfs.tar /',
    'ENV A=<script>alert(1)</script>',
    'RUN make "everything" && rm -rf /tmp',
  ])
  t.match(await page.text('section:last-of-type ol li:nth-child(2)'), /no layer/)
  t.match(await page.text('section:last-of-type ol li:nth-child(3)'), /2\.50 kB/)
  t.equal(await page.evaluate('document.scripts.length'), 0, 'a command is text, whatever it is')
  t.strictSame(page.problems, [])

  await page.go(`${server.url}/?repository=none`)
  t.equal(await page.text('h1'), 'Not found')
  await page.go(`${server.url}/?repository=..%2f..%2fetc&tag=passwd`)
  t.equal(await page.text('h1'), 'Not found')
})

t.test('on a phone, and for who listens', async (t) => {
  const { server } = await withImages(t)
  const browser = await Browser.start(t)
  const page = await browser.open(`${server.url}/?repository=team%2Fapp&tag=all`, { width: 360, height: 640 })
  const fits = 'document.documentElement.scrollWidth <= innerWidth'
  t.equal(await page.evaluate(fits), true, 'nothing sticks out')
  t.equal(await page.evaluate('parseFloat(getComputedStyle(document.body).fontSize) >= 16'), true)
  await page.go(`${server.url}/?repository=team%2Fapp`)
  t.equal(await page.evaluate(fits), true)
  const picture = await page.screenshot()
  if (process.env.JUBAKO_KEEP_PICTURES) writeFileSync(join(process.env.JUBAKO_KEEP_PICTURES, 'phone.png'), picture)
  t.ok(picture.length > 1000)

  // What the browser tells assistive technology.
  const nodes = await page.accessibility()
  const named = (role: string) => nodes.filter((it) => it.role === role).map(({ name }) => name)
  t.equal(await page.evaluate('document.documentElement.lang'), 'en')
  t.strictSame(named('main').length, 1)
  t.strictSame(named('navigation'), ['Where you are'])
  t.strictSame(named('table'), ['Tags, with what a pull of all platforms brings'])
  t.strictSame(named('columnheader'), ['Tag', 'Size', 'Platforms'])
  t.strictSame(named('rowheader'), ['1.0', 'all', 'arm', 'intel'])
  t.ok(
    named('link').every((name) => name !== ''),
    'every link says where it leads',
  )
  t.strictSame(named('heading'), ['team/app'])
  // Keys alone: the first one leads past the head.
  await page.key('Tab')
  t.equal(await page.evaluate('document.activeElement.textContent'), 'Skip to the content')
})

t.test('nothing that accessibility rules forbid, light or dark', async (t) => {
  const { server } = await withImages(t)
  const browser = await Browser.start(t)
  const rules = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
  const page = await browser.open(`${server.url}/`, { width: 360, height: 640 })
  for (const path of ['/', '/?repository=team%2Fapp', '/?repository=team%2Fapp&tag=all', '/?repository=none']) {
    for (const scheme of ['light', 'dark'] as const) {
      await page.go(server.url + path)
      await page.colors(scheme)
      const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
      const found = await page.evaluate<{ passes: number; violations: string[] }>(`${rules};
        axe.run(document, { runOnly: ${JSON.stringify(tags)} }).then(({ passes, violations }) => ({
          passes: passes.length,
          violations: violations.map(({ id, nodes }) => id + ': ' + nodes.map(({ html }) => html).join(' ')),
        }))`)
      t.strictSame(found.violations, [], `${path}, ${scheme}`)
      t.ok(found.passes > 10, `${found.passes} rules had something to look at`)
    }
  }
})

t.test('only what the account may see', async (t) => {
  const htpasswd = await accounts(temporary(t), { alice: 'wonder', bob: 'builder' })
  const policy = {
    rules: [
      { accounts: ['alice'], repositories: ['**'], actions: ['pull', 'push', 'delete'] as const },
      { accounts: ['anonymous'], repositories: ['team/*'], actions: ['pull'] as const },
    ],
  }
  const { server } = await withImages(t, { htpasswd, policy, login: 'alice:wonder' })
  const browser = await Browser.start(t)
  const page = await browser.open(`${server.url}/`)
  t.strictSame(await page.texts('main li a'), ['team/app'])
  await page.go(`${server.url}/?repository=secret%2Fthing&tag=latest`)
  t.equal(await page.text('h1'), 'Not found')

  const login = await page.go(`${server.url}/?login`, { username: 'alice', password: 'wonder' })
  t.equal(login, 200)
  t.match(await page.text('header'), /Logged in as alice/)
  t.strictSame(await page.texts('main li a'), ['secret/thing', 'team/app'])
  t.equal(
    (await fetch(`${server.url}/?login`)).headers.get('www-authenticate'),
    'Basic realm="registry", charset="UTF-8"',
  )
})
