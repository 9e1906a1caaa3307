import type { Sample } from './measure.js'
import type { AbsentPeer } from './peers.js'

/** What every section gets. */
export interface BenchContext {
  /** Directory for everything the benchmark makes, on a disk. */
  work: string
  rounds: number
  log(line: string): void
}

/** One goal of the project and what was measured for it. */
export interface Goal {
  text: string
  measured: string
  reached: boolean
}

/** What a section found. */
export interface SectionResult {
  title: string
  /** How it was measured, one or two sentences. */
  method: string
  samples?: Sample[]
  /** Name of the sample that is 1.0 in the ratio columns. */
  ratioTo?: string[]
  /** Lines of a table of its own, header first, cells already formatted. */
  table?: string[][]
  goals?: Goal[]
  absent?: AbsentPeer[]
}

export type Section = (context: BenchContext) => Promise<SectionResult>

/** Median of a sample by its name. */
export function pick(samples: readonly Sample[], name: string): Sample {
  const sample = samples.find((candidate) => candidate.name === name)
  if (sample === undefined) throw new Error(`no sample called ${name}`)
  return sample
}
