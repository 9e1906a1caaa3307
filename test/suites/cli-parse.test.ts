import t, { type Test } from 'tap'
import { UsageError } from '../../src/cli/exit-codes.js'
import { parseFlags } from '../../src/cli/flags/parse.js'
import type { CommandSpec } from '../../src/cli/flags/spec.js'

const spec = (more: Partial<CommandSpec> = {}): CommandSpec => ({
  name: 'run',
  aliases: [],
  usage: '',
  summary: '',
  args: [0, 9],
  interspersed: false,
  flags: [
    ['d', 'detach', 'bool', ''],
    ['e', 'env', 'list', ''],
    ['h', 'hostname', 'string', ''],
    ['i', 'interactive', 'bool', ''],
    ['m', 'memory', 'bytes', ''],
    ['n', 'count', 'int', ''],
    ['t', 'tty', 'bool', ''],
    ['', 'net', 'string', '', { alias: 'network' }],
    ['', 'network', 'string', ''],
    ['', 'gone', 'string', '', { status: 'refused', reason: 'it is gone' }],
    ['', 'soon', 'bool', '', { status: 'missing' }],
  ],
  ...more,
})

function fails(t: Test, argv: string[], message: string, of = spec()): void {
  try {
    parseFlags(of, argv)
    t.fail(`${argv.join(' ')} was parsed`)
  } catch (error) {
    t.ok(error instanceof UsageError)
    t.equal((error as UsageError).message, message)
    t.equal((error as UsageError).exitCode, 125)
    t.equal((error as UsageError).help, 'run')
  }
}

t.test('the spellings of a value', (t) => {
  const spellings = [['-e', 'A=1'], ['-eA=1'], ['-e=A=1'], ['--env', 'A=1'], ['--env=A=1'], ['-ieA=1'], ['-ie', 'A=1']]
  for (const argv of spellings) t.strictSame(parseFlags(spec(), argv).list('env'), ['A=1'], argv.join(' '))
  t.strictSame(parseFlags(spec(), ['-e', 'A', '-e', 'B', '--env=C']).list('env'), ['A', 'B', 'C'])
  t.equal(parseFlags(spec(), ['-h', '-t']).string('hostname'), '-t', 'the next argument, whatever it looks like')
  t.equal(parseFlags(spec(), ['-h', '--']).string('hostname'), '--')
  t.equal(parseFlags(spec(), ['-h=']).string('hostname'), '=')
  t.equal(parseFlags(spec(), ['--hostname=']).string('hostname'), '')
  t.equal(parseFlags(spec(), ['--hostname', 'a', '--hostname', 'b']).string('hostname'), 'b')
  t.equal(parseFlags(spec(), ['--net', 'none']).string('network'), 'none')
  t.equal(parseFlags(spec(), ['-m', '64m']).number('memory'), 64 * 2 ** 20)
  t.equal(parseFlags(spec(), ['-n', '0x10']).number('count'), 16)
  t.equal(parseFlags(spec(), ['-n', '010']).number('count'), 8)
  t.equal(parseFlags(spec(), ['-n-3']).number('count'), -3)
  t.end()
})

t.test('booleans', (t) => {
  const flags = parseFlags(spec(), ['-itd', '--tty=false', 'image'])
  t.strictSame([flags.bool('interactive'), flags.bool('tty'), flags.bool('detach')], [true, false, true])
  t.strictSame(flags.args, ['image'])
  for (const word of ['1', 't', 'T', 'TRUE', 'true', 'True']) t.ok(parseFlags(spec(), [`--tty=${word}`]).bool('tty'))
  for (const word of ['0', 'f', 'F', 'FALSE', 'false', 'False'])
    t.notOk(parseFlags(spec(), [`-t=${word}`]).bool('tty', true))
  t.strictSame(parseFlags(spec(), ['--tty', 'false']).args, ['false'], 'a boolean takes no next argument')
  t.equal(parseFlags(spec(), []).has('tty'), false)
  t.end()
})

t.test('positional arguments', (t) => {
  const stop = parseFlags(spec(), ['-t', 'image', '-d', '--nosuch', '--'])
  t.strictSame(stop.args, ['image', '-d', '--nosuch', '--'])
  t.notOk(stop.has('detach'))
  const mixed = parseFlags(spec({ interspersed: true }), ['a', '-t', 'b', '-', '--', '-d', 'c'])
  t.strictSame(mixed.args, ['a', 'b', '-', '-d', 'c'])
  t.ok(mixed.has('tty'))
  t.notOk(mixed.has('detach'))
  t.strictSame(parseFlags(spec(), ['--', '-t']).args, ['-t'])
  t.end()
})

t.test('help', (t) => {
  t.ok(parseFlags(spec(), ['--help', '--nosuch']).help)
  t.ok(parseFlags(spec({ flags: [] }), ['-h']).help, 'where -h has no other meaning')
  t.notOk(parseFlags(spec(), ['image', '--help']).help)
  t.end()
})

t.test('what is wrong is named', (t) => {
  fails(t, ['--nosuch=1'], 'unknown flag: --nosuch')
  fails(t, ['-itZ'], "unknown shorthand flag: 'Z' in -Z")
  fails(t, ['--hostname'], 'flag needs an argument: --hostname')
  fails(t, ['-th'], "flag needs an argument: 'h' in -h")
  fails(t, ['---x'], 'bad flag syntax: ---x')
  fails(t, ['--=x'], 'bad flag syntax: --=x')
  fails(t, ['--tty=maybe'], 'invalid argument "maybe" for "-t, --tty" flag: must be true or false')
  fails(t, ['-n', '1x'], 'invalid argument "1x" for "-n, --count" flag: must be a whole number')
  fails(
    t,
    ['-n', '9223372036854775808'],
    /* one above int64 */ 'invalid argument "9223372036854775808" for "-n, --count" flag: must be between -9223372036854775808 and 9223372036854775807',
  )
  fails(t, ['--gone=x'], '--gone is not supported: it is gone')
  fails(t, ['--soon'], '--soon is not available yet')
  t.end()
})

t.test('a late error has the exit code of its command', (t) => {
  const parse = () => {
    throw new Error('invalid signal: X')
  }
  const late = spec({ flags: [['s', 'signal', 'string', '', { parse, late: true }]] })
  t.throws(() => parseFlags(late, ['-sX']), { code: 'ERR_JUBAKO_INVALID_ARGUMENT', message: 'invalid signal: X' })
  t.end()
})
