/**
 * overlayfs as a library, usable on its own: `import { overlay, mountOverlay } from 'jubako/overlay'`.
 */
export { type Mount, type OverlayOptions, overlay } from './mount.js'
export { type MountedOverlay, mountOverlay } from './mounted.js'
