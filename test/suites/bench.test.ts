import t from 'tap'
import { interleave, median, quantile } from '../../bench/measure.js'
import { documentText, sectionText } from '../../bench/report.js'

t.test('quantiles interpolate', (t) => {
  t.equal(median([3, 1, 2]), 2)
  t.equal(median([4, 1, 2, 3]), 2.5)
  t.equal(quantile([0, 10], 0.9), 9)
  t.ok(Number.isNaN(median([])))
  t.end()
})

t.test('subjects run interleaved, warm-ups do not count, slow ones run in some rounds', async (t) => {
  const order: string[] = []
  const subject = (name: string, every?: number) => ({
    name,
    ...(every === undefined ? {} : { every }),
    run: async (round: number) => {
      order.push(`${round} ${name}`)
      return 2e6
    },
  })
  const samples = await interleave([subject('a'), subject('b', 3)], 6, 1)
  t.strictSame(samples.find(({ name }) => name === 'a')?.times, [2, 2, 2, 2, 2, 2])
  t.strictSame(samples.find(({ name }) => name === 'b')?.times, [2, 2])
  t.strictSame(
    order.filter((entry) => entry.endsWith(' b')),
    ['-1 b', '0 b', '3 b'],
  )
})

t.test('the report says what was missed and what was not measured', (t) => {
  const section = sectionText({
    title: 'T',
    method: 'M.',
    samples: [
      { name: 'oracle: x', times: [2] },
      { name: 'ours', times: [5] },
    ],
    ratioTo: ['oracle: x'],
    goals: [{ text: 'fast', measured: '2.50 times', reached: false }],
    absent: [{ name: 'docker', reason: 'not installed' }],
  })
  t.match(section, '| ours | 5.00 | 5.00 | 5.00 | 1 | 2.50 |')
  t.match(section, '**missed**: fast (2.50 times)')
  t.match(section, 'Not measured: docker (not installed).')
  t.match(documentText(['2 CPUs'], 7, [section]), /^# Benchmarks\n[\s\S]*7 rounds[\s\S]*- 2 CPUs\n\n## T/)
  t.end()
})
