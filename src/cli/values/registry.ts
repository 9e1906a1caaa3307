/** The registry that a person names for `login` and `logout`: a host, or a URL with one. Default: Docker Hub. */
export function registryName(text: string | undefined): string {
  const host = (text ?? '').replace(/^https?:\/\//, '').split('/', 1)[0]!
  return host === '' || host === 'index.docker.io' || host === 'registry-1.docker.io' ? 'docker.io' : host
}
