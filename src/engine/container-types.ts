/** One path of a container's root file system that is not as its image has it. */
export interface Change {
  kind: 'modified' | 'added' | 'deleted'
  /** Absolute, as the container sees it. */
  path: string
}

/** The processes of a container as ps(1) shows them. */
export interface ProcessTable {
  titles: string[]
  /** One list of cells for each process. */
  processes: string[][]
}
