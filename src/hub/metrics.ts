import type { AccessEntry } from './access-log.js'

const BUCKETS = [0.005, 0.025, 0.1, 0.5, 2.5, 10, 60]

/** Numbers of a registry since it started, in the text format of Prometheus. */
export class Metrics {
  readonly #requests = new Map<string, number>()
  readonly #buckets = BUCKETS.map(() => 0)
  #seconds = 0
  #count = 0
  #received = 0
  #sent = 0
  failedLogins = 0
  collections = 0
  collectedBytes = 0
  proxyHits = 0
  proxyMisses = 0

  request({ method, status, duration, bytesIn, bytesOut }: AccessEntry): void {
    // Methods are Node's own list: a client cannot make labels up.
    const key = `method="${method}",code="${status}"`
    this.#requests.set(key, (this.#requests.get(key) ?? 0) + 1)
    const seconds = duration / 1000
    this.#seconds += seconds
    this.#count++
    BUCKETS.forEach((bound, i) => {
      if (seconds <= bound) this.#buckets[i]!++
    })
    this.#received += bytesIn
    this.#sent += bytesOut
  }

  /** @param gauges what is the case now, by name */
  text(gauges: Readonly<Record<string, readonly [help: string, value: number]>>): string {
    const lines: string[] = []
    const metric = (name: string, type: string, help: string, rows: readonly (readonly [string, number])[]) => {
      lines.push(`# HELP jubako_registry_${name} ${help}`, `# TYPE jubako_registry_${name} ${type}`)
      for (const [labels, value] of rows) lines.push(`jubako_registry_${name}${labels} ${value}`)
    }
    metric(
      'requests_total',
      'counter',
      'Requests answered.',
      [...this.#requests].sort().map(([labels, value]) => [`{${labels}}`, value]),
    )
    const name = 'jubako_registry_request_duration_seconds'
    lines.push(`# HELP ${name} Time from a request to the end of its answer.`, `# TYPE ${name} histogram`)
    BUCKETS.forEach((bound, i) => {
      lines.push(`${name}_bucket{le="${bound}"} ${this.#buckets[i]}`)
    })
    lines.push(
      `${name}_bucket{le="+Inf"} ${this.#count}`,
      `${name}_sum ${this.#seconds}`,
      `${name}_count ${this.#count}`,
    )
    const counters: [string, string, number][] = [
      ['received_bytes_total', 'Bytes received.', this.#received],
      ['sent_bytes_total', 'Bytes sent.', this.#sent],
      ['failed_logins_total', 'Logins with a wrong name or password.', this.failedLogins],
      ['collections_total', 'Collections of garbage.', this.collections],
      ['collected_bytes_total', 'Bytes that collections removed.', this.collectedBytes],
      ['proxy_hits_total', 'Documents and blobs that the cache had.', this.proxyHits],
      ['proxy_misses_total', 'Documents and blobs that came from upstream.', this.proxyMisses],
    ]
    for (const [counter, help, value] of counters) metric(counter, 'counter', help, [['', value]])
    for (const [gauge, [help, value]] of Object.entries(gauges)) metric(gauge, 'gauge', help, [['', value]])
    return `${lines.join('\n')}\n`
  }
}
