import { createHash } from 'node:crypto'

export const STYLE = `
:root{color-scheme:light dark;--line:light-dark(#d4d4d8,#3f3f46);--soft:light-dark(#f4f4f5,#27272a);--quiet:light-dark(#52525b,#a1a1aa);--link:light-dark(#0550ae,#7cb7ff)}
*{box-sizing:border-box}
html{background:light-dark(#fff,#18181b);color:light-dark(#18181b,#f4f4f5)}
body{margin:0 auto;max-width:60rem;padding:1rem;font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
a{color:var(--link)}
a:focus-visible,[tabindex]:focus-visible{outline:3px solid var(--link);outline-offset:2px}
.skip{position:absolute;left:-100rem}
.skip:focus{position:static}
header{display:flex;flex-wrap:wrap;justify-content:space-between;gap:.5rem;border-bottom:1px solid var(--line);padding-bottom:.5rem}
header p,nav ol{margin:0}
nav ol{list-style:none;padding:0;display:flex;flex-wrap:wrap;gap:.5rem}
nav li+li::before{content:"/ ";color:var(--quiet)}
h1{font-size:1.5rem}
h2{font-size:1.2rem;margin-top:2rem}
code,pre{font-family:ui-monospace,monospace;font-size:.9rem}
pre{background:var(--soft);padding:.75rem;border-radius:.5rem;white-space:pre-wrap}
table{border-collapse:collapse;width:100%}
caption{text-align:left;color:var(--quiet)}
th,td{text-align:left;vertical-align:top;padding:.4rem .6rem .4rem 0;border-bottom:1px solid var(--line)}
.list{padding:0;list-style:none}
.list li{padding:.5rem 0;border-bottom:1px solid var(--line)}
.layers li{padding:.4rem 0;border-bottom:1px solid var(--line)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.25rem 1rem}
dt{color:var(--quiet)}
dd{margin:0}
.quiet{color:var(--quiet)}
`

/** Nothing but this style may be loaded or run. */
export const POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`
