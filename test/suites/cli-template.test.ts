import t from 'tap'
import { compile, Fields, withGoTypes } from '../../src/cli/template/index.js'

const data = {
  Os: 'linux',
  Parent: '',
  Size: 1984172,
  Layers: ['sha256:c9f3', 'sha256:aa01'],
  Config: { Cmd: ['/bin/sh', '-c'], Env: ['PATH=/bin', 'A=1'], Labels: { x: '1', a: '2' }, Tty: false, None: null },
}

/** Templates with what Docker prints for them on the same values. */
const PRINTS: Record<string, string> = {
  '{{.Os}} {{.Config.Tty}} {{.Size}}': 'linux false 1984172',
  '{{.Config.Cmd}} {{.Config.Labels}} {{.Config.None}}': '[/bin/sh -c] map[a:2 x:1] <no value>',
  'a {{- .Os -}} b{{/* no */}}': 'alinuxb',
  '{{printf "%d %5d|%-5d|%05d|%+d|%x|%X|%o|%b|%c|%U|%q" 42 42 42 42 42 42 42 42 42 65 65 65}}':
    "42    42|42   |00042|+42|2a|2A|52|101010|A|U+0041|'A'",
  '{{printf "%s %10s|%-10s|%.2s|%q|%x|%v" "hey" "hey" "hey" "hey" "he\\"y" "hey" "hey"}}':
    'hey        hey|hey       |he|"he\\"y"|686579|hey',
  '{{printf "%f %.2f %e %g %8.3f" 3.14159 3.14159 3.14159 3.14159 3.14159}}':
    '3.141590 3.14 3.141590e+00 3.14159    3.142',
  '{{printf "%t %v %T %T %T" true false "a" 1 1.5}}': 'true false string int float64',
  '{{printf "%d" "x"}} {{printf "%s" 5}}': '%!d(string=x) %!s(int=5)',
  '{{printf "%d %d" 1}} {{printf "%d" 1 2}}': '1 %!d(MISSING) 1%!(EXTRA int=2)',
  '{{printf "%[2]d %[1]d %%" 1 2}} {{printf "%*d" 5 42}} {{printf "%z" 1}}': '2 1 %    42 %!z(int=1)',
  '{{print 1 2 "a" "b" 3}}|{{println 1 "a"}}': '1 2ab3|1 a\n',
  '{{len "é"}} {{len .Layers}} {{len .Config.Labels}}': '2 2 2',
  '{{index .Layers 1}} {{index .Config.Labels "x"}} [{{index .Config.Labels "q"}}]': 'sha256:aa01 1 []',
  '{{slice "abcdef" 1 3}} {{slice .Layers 1}}': 'bc [sha256:aa01]',
  '{{html "<a&\'\\">"}} {{urlquery "a b&c"}}': '&lt;a&amp;&#39;&#34;&gt; a+b%26c',
  '{{and 1 0}} {{or 0 "x"}} {{not 1}} {{or .Parent "none"}}': '0 x false none',
  '{{eq 1 1}} {{eq 1 2 1}} {{ne "a" "b"}} {{lt 1 2}} {{le 2 2}} {{gt "b" "a"}} {{ge 1 2}}':
    'true true true true true true false',
  '{{if eq .Os "windows"}}w{{else if eq .Os "linux"}}l{{else}}n{{end}}': 'l',
  '{{with .Parent}}p{{else}}np{{end}}{{with $x := .Os}}[{{$x}}{{.}}{{$.Size}}]{{end}}': 'np[linuxlinux1984172]',
  '{{range $i, $e := .Config.Env}}{{$i}}:{{$e}};{{end}}': '0:PATH=/bin;1:A=1;',
  '{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}': 'a=2;x=1;',
  '{{range .Parent | split ","}}{{else}}none{{end}}{{range .Layers}}{{.}}{{break}}{{end}}': 'sha256:c9f3',
  '{{range $i, $c := split "a,b,c" ","}}{{if eq $i 1}}{{continue}}{{end}}{{$c}}{{end}}': 'ac',
  '{{$x := 1}}{{if true}}{{$x = 2}}{{$x := 3}}{{end}}{{$x}}': '2',
  '{{define "T"}}<{{.}}>{{end}}{{template "T" .Os}}{{block "B" .Size}}({{.}}){{end}}': '<linux>(1984172)',
  '{{"q\\t"}} {{`r"`}} {{\'a\'}} {{0x10}} {{1_000}} {{0b11}} {{0o17}} {{1e3}} {{.5}} {{-3}}':
    'q\t r" 97 16 1000 3 15 1000 0.5 -3',
  '{{(index .Layers 0) | len}} {{.Os | upper | printf "%q"}}': '11 "LINUX"',
  '{{upper "a"}} {{lower "A"}} {{title "hello world"}} {{join .Layers ","}} {{truncate "abcdef" 3}} [{{pad "a" 2 3}}]':
    'A a Hello World sha256:c9f3,sha256:aa01 abc [  a   ]',
  '{{json .Config.Labels}} {{json "<&>"}} {{json 1.5}} {{json nil}}': '{"x":"1","a":"2"} "<&>" 1.5 null',
  '{{if and .Os (not .Parent)}}A{{end}}{{if ne (len .Layers) 0}}{{len .Layers}}{{end}}': 'A2',
}

t.test('templates print what Docker prints', (t) => {
  for (const [source, text] of Object.entries(PRINTS)) t.equal(compile(source)(data), text, source)
  t.end()
})

const UNPARSED: Record<string, string> = {
  '{{.Os': 'unclosed action',
  '{{if .Os}}': 'unexpected EOF',
  '{{end}}': 'unexpected {{end}}',
  '{{else}}': 'unexpected {{else}}',
  '{{if}}': 'missing value for if',
  '{{nosuch 1}}': 'function "nosuch" not defined',
  '{{$x}}': 'undefined variable "$x"',
  '{{break}}': '{{break}} outside {{range}}',
  '{{"abc}}': 'unterminated quoted string',
  '{{"a" | "b"}}': 'non executable command in pipeline stage 2',
}

t.test('what does not parse is said with its line', (t) => {
  for (const [source, message] of Object.entries(UNPARSED)) {
    t.throws(() => compile(`\n${source}`), { message: `template: :2: ${message}` }, source)
  }
  t.throws(() => compile('{{end}}'), { name: 'TemplateError' })
  t.end()
})

const FAILS: Record<string, string> = {
  '{{.Nosuch}}': ':1:2: executing "" at <.Nosuch>: map has no entry for key "Nosuch"',
  'x{{.Config.Nosuch}}': ':1:10: executing "" at <.Config.Nosuch>: map has no entry for key "Nosuch"',
  '{{.Os 1}}': ':1:2: executing "" at <.Os>: Os is not a method but has arguments',
  '{{1 2}}': ':1:2: executing "" at <1>: can\'t give argument to non-function 1',
  '{{len}}': ':1:2: executing "" at <len>: wrong number of args for len: want 1 got 0',
}

t.test('what cannot be executed is said with its place', (t) => {
  for (const [source, message] of Object.entries(FAILS)) {
    t.throws(() => compile(source)(data, { missingKey: 'error' }), { message: `template: ${message}` }, source)
  }
  for (const source of ['{{index .Layers 9}}', '{{slice "abc" 9}}', '{{eq 1 "a"}}', '{{len 1}}', '{{template "x"}}']) {
    t.throws(() => compile(source)(data), { name: 'TemplateError' }, source)
  }
  t.throws(
    () => compile('{{define "T"}}{{template "T"}}{{end}}{{template "T"}}')(data),
    { name: 'TemplateError' },
    'no endless depth',
  )
  t.end()
})

t.test('a hostile template reaches nothing of JavaScript', (t) => {
  for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty']) {
    t.throws(() => compile(`{{.${name}}}`)(data, { missingKey: 'error' }), { name: 'TemplateError' }, name)
    t.throws(() => compile(`{{.${name}}}`)(new Fields('row', { A: 1 })), { name: 'TemplateError' }, name)
    t.equal(compile(`{{index . "${name}"}}`)(data), '', name)
    t.throws(() => compile(`{{${name} 1}}`), { name: 'TemplateError' }, name)
  }
  t.end()
})

t.test('rows have fields and methods', (t) => {
  const row = new Fields('*row', { ID: 'abc', Label: (name: string) => `<${name}>` })
  t.equal(compile('{{.ID}} {{.Label "x"}} {{json .}}')(row), 'abc <x> {"ID":"abc"}')
  t.throws(() => compile('{{.Nope}}')(row), { message: /can't evaluate field Nope in type \*row/ })
  t.throws(() => compile('{{.Label}}')(row), { message: /wrong number of args for Label: want 1 got 0/ })
  t.end()
})

t.test('null lists and maps print as Go prints nil ones', (t) => {
  const value = withGoTypes({ A: { Entrypoint: null, Volumes: null, PidsLimit: null, Cmd: [null, 'x'] } })
  const print = (source: string) => compile(source)(value)
  t.equal(print('{{.A.Entrypoint}} {{.A.Volumes}} {{.A.PidsLimit}}'), '[] map[] <no value>')
  t.equal(print('{{json .A.Entrypoint}} {{json .A.Volumes}} {{json .A.PidsLimit}}'), 'null null null')
  t.equal(print('{{len .A.Volumes}}{{range .A.Entrypoint}}x{{else}}-{{end}}{{if .A.Volumes}}x{{end}}'), '0-')
  t.end()
})
