/**
 * Import this first: the test file then runs in a network namespace of its own with nothing but a loopback device, so that
 * its bridges, rules and forwarding are never those of the machine.
 */
import { spawnSync } from 'node:child_process'
import { TOOL_ENV } from './processes.js'

if (process.env.JUBAKO_TEST_NETWORK !== 'own') {
  const inside = 'ip link set lo up && exec "$@"'
  const program = [process.execPath, ...process.execArgv, ...process.argv.slice(1)]
  const { status } = spawnSync(
    'unshare',
    ['--net', 'setpriv', '--pdeathsig', 'KILL', 'sh', '-c', inside, 'sh', ...program],
    {
      stdio: 'inherit',
      env: { ...TOOL_ENV, JUBAKO_TEST_NETWORK: 'own' },
    },
  )
  process.exit(status ?? 1)
}
