import { addon } from './addon.js'
import { isNativeFailure, nativeError } from './failure.js'

/** When a directory last gained, lost or renamed an entry. All zero: there is none. */
export interface DirectoryStamp {
  seconds: number
  nanoseconds: number
  inode: number
}

/** What the directories of one container say without being read. */
export interface SurveyEntry {
  id: string
  record: DirectoryStamp
  run: DirectoryStamp
  /** Somebody holds the lock of its run directory. */
  locked: boolean
}

const VALUES = 7

/**
 * Looks at all containers in one call: a listing asks for hundreds.
 *
 * @param records the directory with one directory for each container, named by its id
 * @param runs where those that run have another of the same name
 * @throws JubakoError ERR_JUBAKO_SYSTEM
 */
export function surveyContainers(records: string, runs: string): SurveyEntry[] {
  let found: ReturnType<ReturnType<typeof addon>['surveyContainers']>
  try {
    found = addon().surveyContainers(records, runs)
  } catch (error) {
    throw isNativeFailure(error) ? nativeError(error, `cannot read ${records}`) : error
  }
  const { names, values } = found
  const stamp = (at: number): DirectoryStamp => ({
    seconds: values[at]!,
    nanoseconds: values[at + 1]!,
    inode: values[at + 2]!,
  })
  return names.map((id, index) => {
    const at = index * VALUES
    return { id, record: stamp(at), run: stamp(at + 3), locked: values[at + 6] !== 0 }
  })
}
