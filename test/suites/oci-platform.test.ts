import t from 'tap'
import { formatPlatform, hostPlatform, parsePlatform, platformMatches } from '../../src/oci/index.js'

t.test('what --platform takes', async (t) => {
  const host = { os: 'linux', architecture: 'amd64' }
  const cases: [text: string, canonical: string][] = [
    ['linux/amd64', 'linux/amd64'],
    ['linux/x86_64', 'linux/amd64'],
    ['Linux/AMD64/v1', 'linux/amd64'],
    ['linux/amd64/v2', 'linux/amd64/v2'],
    ['linux/aarch64', 'linux/arm64'],
    ['linux/arm64/v8', 'linux/arm64'],
    ['linux/arm', 'linux/arm/v7'],
    ['linux/armhf', 'linux/arm/v7'],
    ['linux/armel', 'linux/arm/v6'],
    ['linux/arm/6', 'linux/arm/v6'],
    ['linux/i686', 'linux/386'],
    ['arm64', 'linux/arm64'],
    ['linux', 'linux/amd64'],
    ['windows', 'windows/amd64'],
  ]
  for (const [text, canonical] of cases) t.equal(formatPlatform(parsePlatform(text, host)), canonical, text)
  for (const text of ['', '/', 'linux/', 'linux/amd64/v1/x', 'martian', 'linux/am d64']) {
    t.throws(() => parsePlatform(text, host), { code: 'ERR_JUBAKO_INVALID_ARGUMENT' }, text)
  }
})

t.test('what runs where', async (t) => {
  const matches = (wanted: string, offered: string) => platformMatches(parsePlatform(wanted), parsePlatform(offered))
  t.ok(matches('linux/arm/v7', 'linux/arm/v5'))
  t.notOk(matches('linux/arm/v6', 'linux/arm/v7'))
  t.notOk(matches('linux/amd64', 'linux/amd64/v3'))
  t.ok(matches('linux/amd64/v3', 'linux/amd64/v2'))
  t.notOk(matches('linux/amd64', 'linux/386'))
  t.ok(matches(formatPlatform(hostPlatform()), formatPlatform(hostPlatform())))
})
