import t from 'tap'
import {
  familiarName,
  familiarReference,
  favorDigest,
  formatReference,
  parseReference,
  withDefaultTag,
} from '../../src/oci/index.js'

const HEX = '0123456789abcdef'.repeat(4)

t.test('normal forms', async (t) => {
  const cases: [text: string, canonical: string, familiar: string][] = [
    ['debian', 'docker.io/library/debian:latest', 'debian:latest'],
    ['debian:12', 'docker.io/library/debian:12', 'debian:12'],
    ['library/debian', 'docker.io/library/debian:latest', 'debian:latest'],
    ['docker.io/debian', 'docker.io/library/debian:latest', 'debian:latest'],
    ['index.docker.io/debian', 'docker.io/library/debian:latest', 'debian:latest'],
    ['docker.io/a/b:c', 'docker.io/a/b:c', 'a/b:c'],
    ['a/b/c', 'docker.io/a/b/c:latest', 'a/b/c:latest'],
    ['docker.io/library/a/b', 'docker.io/library/a/b:latest', 'library/a/b:latest'],
    ['localhost/x', 'localhost/x:latest', 'localhost/x:latest'],
    ['localhost:5000/x:1', 'localhost:5000/x:1', 'localhost:5000/x:1'],
    ['127.0.0.1:5000/a/b', '127.0.0.1:5000/a/b:latest', '127.0.0.1:5000/a/b:latest'],
    ['[::1]:5000/a', '[::1]:5000/a:latest', '[::1]:5000/a:latest'],
    ['Uploc.al/x', 'Uploc.al/x:latest', 'Uploc.al/x:latest'],
    ['FOO/bar', 'FOO/bar:latest', 'FOO/bar:latest'],
    ['a__b/c-.d'.replace('-.', '---'), 'docker.io/a__b/c---d:latest', 'a__b/c---d:latest'],
    [`debian@sha256:${HEX}`, `docker.io/library/debian@sha256:${HEX}`, `debian@sha256:${HEX}`],
    [`q.io/d:1@sha256:${HEX}`, `q.io/d:1@sha256:${HEX}`, `q.io/d:1@sha256:${HEX}`],
    [`d@sha512:${HEX}${HEX}`, `docker.io/library/d@sha512:${HEX}${HEX}`, `d@sha512:${HEX}${HEX}`],
  ]
  for (const [text, canonical, familiar] of cases) {
    const reference = withDefaultTag(parseReference(text))
    t.equal(formatReference(reference), canonical, text)
    t.equal(familiarReference(reference), familiar, text)
    t.same(withDefaultTag(parseReference(canonical)), reference, `${canonical} is stable`)
    t.same(withDefaultTag(parseReference(familiar)), reference, `${familiar} means the same`)
  }
  t.equal(familiarName(parseReference('docker.io/library/debian:12')), 'debian')
  t.equal(formatReference(favorDigest(parseReference(`d:1@sha256:${HEX}`))), `docker.io/library/d@sha256:${HEX}`)
})

// What `docker pull` answers to the same input.
t.test('errors in the words of docker', async (t) => {
  const format = 'invalid reference format'
  const cases: [text: string, message: string][] = [
    ['', format],
    [' ', format],
    [':x', format],
    ['a:', format],
    ['a:b:c', format],
    ['a/', format],
    ['/a', format],
    ['-x', format],
    ['a//b', format],
    ['a/../b', format],
    ['http://x/y', format],
    ['a\n', format],
    ['a\u0000b', format],
    ['a@sha256:12', format],
    [`x:${'a'.repeat(129)}`, format],
    ['a'.repeat(4096), format],
    ['UPPER', `${format}: repository name (library/UPPER) must be lowercase`],
    ['foo/Bar', `${format}: repository name (foo/Bar) must be lowercase`],
    ['localhost:5000/X', `${format}: repository name (X) must be lowercase`],
    ['a@md5:d41d8cd98f00b204e9800998ecf8427e', 'unsupported digest algorithm'],
    ['a@sha1:da39a3ee5e6b4b0d3255bfef95601890afd80709', 'unsupported digest algorithm'],
    [`a@sha256:${HEX.slice(1)}`, 'invalid checksum digest length'],
    [`a@sha256:${HEX.toUpperCase()}`, 'invalid checksum digest format'],
    [HEX, `invalid repository name (${HEX}), cannot specify 64-byte hexadecimal strings`],
    ['a'.repeat(248), 'repository name must not be more than 255 characters'],
  ]
  for (const [text, message] of cases) {
    t.throws(
      () => parseReference(text),
      { code: 'ERR_JUBAKO_INVALID_REFERENCE', message },
      JSON.stringify(text).slice(0, 60),
    )
  }
  t.doesNotThrow(() => parseReference('a'.repeat(247)), 'the longest name')
})

t.test('hostile input takes no time', async (t) => {
  const started = process.hrtime.bigint()
  for (const text of ['a-'.repeat(1000), `${'a.'.repeat(900)}/x`, '-'.repeat(2000), `a${'_'.repeat(1900)}b`]) {
    t.throws(() => parseReference(text))
  }
  t.ok(process.hrtime.bigint() - started < 200_000_000n)
})
