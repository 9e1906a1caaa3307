import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { manyFilesImage } from '../../test/fixtures/images.js'
import { tool } from '../../test/helpers/processes.js'
import { type BenchContext, type Goal, pick, type SectionResult } from '../context.js'
import { openEngine } from '../jubako.js'
import { interleave, median, timed } from '../measure.js'

const TAR = 'tar -xzf of the layers'
const TAR_SYNC = 'tar -xzf of the layers, then sync'
const OURS = 'jubako: load of the archive'

function layersOf(layout: string): string[] {
  const read = (path: string) => JSON.parse(readFileSync(join(layout, path), 'utf8'))
  const blob = (digest: string) => join('blobs', ...digest.split(':'))
  const manifest = read(blob(read('index.json').manifests[0].digest))
  return manifest.layers.map(({ digest }: { digest: string }) => join(layout, blob(digest)))
}

async function count(layers: readonly string[]): Promise<number> {
  const counts = await Promise.all(
    layers.map(async (layer) => (await tool('tar', ['-tzf', layer])).split('\n').length - 1),
  )
  return counts.reduce((sum, entries) => sum + entries, 0)
}

/** Unpacking an image with many files against tar. */
export async function unpackSection({ work, rounds }: BenchContext): Promise<SectionResult> {
  const image = await manyFilesImage()
  const archive = await image.ociArchive()
  const layers = layersOf(image.layout)
  const entries = await count(layers)
  const place = join(work, 'unpack')
  let target = place
  let runs = 0
  // Nothing is removed before the end: ext4 without a journal passes over every inode that was freed in the last minute,
  // one at a time for each file that is made.
  const fresh = async () => {
    target = join(place, `${runs++}`)
    mkdirSync(target, { recursive: true })
    await tool('sync', ['-f', work])
  }
  const byTar = async () => {
    for (const layer of layers) await tool('tar', ['-C', target, '-xzf', layer])
  }
  const samples = await interleave(
    [
      { name: TAR, run: () => fresh().then(() => timed(byTar)) },
      { name: TAR_SYNC, run: () => fresh().then(() => timed(() => byTar().then(() => tool('sync', ['-f', target])))) },
      {
        name: OURS,
        run: async () => {
          await fresh()
          await using engine = await openEngine(target)
          return await timed(() => engine.load(archive))
        },
      },
    ],
    Math.max(3, Math.ceil(rounds / 10)),
    1,
  )
  rmSync(place, { recursive: true, force: true })
  const goal = (subject: string, least: number): Goal => {
    const ratio = median(pick(samples, subject).times) / median(pick(samples, OURS).times)
    const text = least > 1 ? `at least ${least} times as fast as` : 'faster than'
    return { text: `${text} ${subject}`, measured: `${ratio.toFixed(2)} times as fast`, reached: ratio > least }
  }
  return {
    title: `Unpacking ${entries.toLocaleString('en')} files`,
    method:
      `An image of ${layers.length} gzip layers in an OCI archive. jubako reads the archive, verifies every digest, keeps ` +
      'the blobs, unpacks the layers and flushes them to disk before the image is visible; tar only unpacks.',
    samples,
    ratioTo: [TAR],
    goals: [goal(TAR, 1), goal(TAR, 1.5), goal(TAR_SYNC, 1.5)],
  }
}
