import { main } from './main.js'

void main(process.argv.slice(2)).then((code) => {
  // Everything was written: nothing that is still open may hold the exit up.
  process.exit(code)
})
