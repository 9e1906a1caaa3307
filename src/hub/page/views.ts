import type { ShownManifest, ShownStep } from './describe.js'
import { bytes, Html, html } from './html.js'
import { STYLE } from './style.js'

/** What is the same on every page. */
export interface Frame {
  /** Host and port by which the reader came here. */
  host: string
  /** undefined: nobody logged in. */
  account: string | undefined
  /** Whether one can log in. */
  canLogIn: boolean
}

type Crumb = readonly [text: string, href?: string]

export const repositoryLink = (name: string): string => `/?repository=${encodeURIComponent(name)}`
export const tagLink = (name: string, tag: string): string => `${repositoryLink(name)}&tag=${encodeURIComponent(tag)}`

function account({ account, canLogIn }: Frame): Html {
  if (account !== undefined) return html`<p>Logged in as <strong>${account}</strong></p>`
  return canLogIn ? html`<p><a href="/?login">Log in</a></p>` : html``
}

function frame(frame: Frame, title: string, crumbs: readonly Crumb[], main: Html): string {
  const trail = crumbs.map(([text, href]) =>
    href === undefined ? html`<li aria-current="page">${text}</li>` : html`<li><a href="${href}">${text}</a></li>`,
  )
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header>
<nav aria-label="Where you are"><ol>${trail}</ol></nav>
${account(frame)}
</header>
<main id="main">
${main}
</main>
</body>
</html>
`.text
}

const more = (next: string | undefined): Html => (next === undefined ? html`` : html`<p><a href="${next}">More</a></p>`)

export function repositoriesPage(
  about: Frame,
  repositories: readonly { name: string; tags: number }[],
  next?: string,
): string {
  const list =
    repositories.length === 0
      ? html`<p>There are no images here that you may see. Push one:</p>
<pre><code>docker tag my-image ${about.host}/my-image
docker push ${about.host}/my-image</code></pre>`
      : html`<ul class="list">${repositories.map(
          ({ name, tags }) =>
            html`<li><a href="${repositoryLink(name)}">${name}</a> <span class="quiet">${tags} ${tags === 1 ? 'tag' : 'tags'}</span></li>`,
        )}</ul>`
  return frame(
    about,
    `${about.host}: repositories`,
    [[about.host]],
    html`<h1>Repositories</h1>
${list}
${more(next)}`,
  )
}

export interface ShownTag {
  tag: string
  size: number
  platforms: readonly string[]
}

export function repositoryPage(about: Frame, name: string, tags: readonly ShownTag[], next?: string): string {
  const rows = tags.map(
    ({ tag, size, platforms }) =>
      html`<tr><th scope="row"><a href="${tagLink(name, tag)}">${tag}</a></th><td>${bytes(size)}</td><td>${platforms.join(', ')}</td></tr>`,
  )
  return frame(
    about,
    `${name}: tags`,
    [[about.host, '/'], [name]],
    html`<h1>${name}</h1>
<table>
<caption>Tags, with what a pull of all platforms brings</caption>
<thead><tr><th scope="col">Tag</th><th scope="col">Size</th><th scope="col">Platforms</th></tr></thead>
<tbody>${rows}</tbody>
</table>
${more(next)}`,
  )
}

function stepView({ command, layer }: ShownStep): Html {
  const size =
    layer === undefined
      ? html`<span class="quiet">no layer</span>`
      : html`<span>${bytes(layer.size)}</span> <span class="quiet">${layer.digest.slice(0, 19)}</span>`
  return html`<li><code>${command === '' ? '(not said)' : command}</code><br>${size}</li>`
}

function manifestView(it: ShownManifest): Html {
  const facts: readonly (readonly [string, string | undefined])[] = [
    ['Digest', it.digest],
    ['Size', bytes(it.size)],
    ['Created', it.created],
    ['Command', it.command],
    ['Media type', it.mediaType],
  ]
  const shown = facts.flatMap(([name, value]) => (value === undefined ? [] : [html`<dt>${name}</dt><dd>${value}</dd>`]))
  return html`<section aria-label="${it.platform}">
<h2>${it.platform}</h2>
<dl>${shown}</dl>
<h3>Layers, lowest first, with the command that made each</h3>
<ol class="layers">${it.steps.map(stepView)}</ol>
</section>`
}

export function tagPage(about: Frame, name: string, tag: string, manifests: readonly ShownManifest[]): string {
  const reference = `${about.host}/${name}:${tag}`
  return frame(
    about,
    `${name}:${tag}`,
    [[about.host, '/'], [name, repositoryLink(name)], [tag]],
    html`<h1>${name}:${tag}</h1>
<h2>Pull</h2>
<pre><code>jubako pull ${reference}
docker pull ${reference}</code></pre>
${manifests.map(manifestView)}`,
  )
}

export function notFoundPage(about: Frame): string {
  return frame(
    about,
    'Not found',
    [[about.host, '/'], ['Not found']],
    html`<h1>Not found</h1>
<p>There is no such image here, or you may not see it.</p>`,
  )
}
