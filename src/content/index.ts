export { ContentStore } from './content-store.js'
export { isTemporaryName, syncDirectory, writeFileDurably } from './durable.js'
export { FileLock, throwIfAborted } from './file-lock.js'
export { type Expected, Ingest } from './ingest.js'
