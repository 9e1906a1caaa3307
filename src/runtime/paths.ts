import { join } from 'node:path'

/** Places of one container. */
export interface ContainerPaths {
  directory: string
  config: string
  exit: string
  upper: string
  work: string
  log: string
  hosts: string
  hostname: string
  resolvConf: string
  run: string
  lock: string
  socket: string
  /** Of a running container: its pid and when it began. */
  state: string
  /** One record for each process that exec started. */
  execs: string
  health: string
  /** There since its first start; says in which life of the machine the last one was. */
  started: string
  /** There since somebody stopped it by hand. */
  stopped: string
}

/** The directories of a data root and a run root that hold containers. */
export class Places {
  readonly containers: string
  readonly names: string
  readonly trash: string

  constructor(
    readonly root: string,
    readonly runRoot: string,
  ) {
    this.containers = join(root, 'containers')
    this.names = join(root, 'names')
    this.trash = join(root, 'trash')
  }

  of(id: string): ContainerPaths {
    const directory = `${this.containers}/${id}`
    const run = `${this.runRoot}/${id}`
    return {
      directory,
      config: `${directory}/config.json`,
      exit: `${directory}/exit.json`,
      upper: `${directory}/upper`,
      work: `${directory}/work`,
      log: `${directory}/log.json`,
      hosts: `${directory}/hosts`,
      hostname: `${directory}/hostname`,
      resolvConf: `${directory}/resolv.conf`,
      run,
      lock: `${run}/lock`,
      socket: `${run}/sock`,
      state: `${run}/state.json`,
      execs: `${run}/execs`,
      health: `${directory}/health.json`,
      started: `${directory}/started`,
      stopped: `${directory}/stopped`,
    }
  }
}
