export { serveApi } from './server.js'
