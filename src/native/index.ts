/** The typed door to the addon and to jubako-init. */
export { artefactPath } from './addon.js'
export { decodeFailure, errnoName, isNativeFailure, nativeError } from './failure.js'
export { type InitExit, InitProcess, keepInitIn, startInit } from './init.js'
export { mountOverlay, type OverlayPlan, unmount } from './mounts.js'
export { linkIndex, Netlink, netlink } from './network.js'
export {
  type EventPlan,
  encodePlan,
  encodeStepLists,
  encodeSteps,
  type Field,
  type HealthPlan,
  type KillPlan,
  type ProcessPlan,
  type RestartPlan,
  RestartPolicyNumber,
  type Step,
  type StreamPlan,
} from './plan.js'
export { closeFd, isLocked, lockRun, openPipe } from './process.js'
export { AttachMask, encodeFrame, Frame, FrameReader, socketFromFd } from './protocol.js'
export { randomHex } from './random.js'
export { seccompProgram } from './seccomp-program.js'
export { type StepName, stepName, steps } from './steps.js'
export {
  freeBuffer,
  hasOpaqueMark,
  readText,
  removeTree,
  renameExchange,
  renameNoReplace,
  sendFile,
  syncFileSystem,
  tryFlock,
} from './storage.js'
export { type DirectoryStamp, type SurveyEntry, surveyContainers } from './survey.js'
export { makeRaw } from './terminal.js'
