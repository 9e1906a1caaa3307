/** How the command line reaches registries: its configuration file, docker's credentials, and the environment's proxies. */
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { invalidArgument } from '../errors/index.js'
import { DockerConfig } from '../registry/docker-config.js'
import type { RegistryOptions } from '../registry/options.js'

const CONFIG = '/etc/jubako/config.json'
const CERTIFICATES = ['/etc/docker/certs.d', '/etc/jubako/certs.d']

/** Credentials as docker keeps them: `$DOCKER_CONFIG/config.json`, else `~/.docker/config.json`. */
export function dockerConfig(environment: NodeJS.ProcessEnv = process.env): DockerConfig {
  const directory = environment.DOCKER_CONFIG || join(homedir(), '.docker')
  return new DockerConfig({
    path: join(directory, 'config.json'),
    environment,
    inline: environment.DOCKER_AUTH_CONFIG || undefined,
  })
}

/** @throws JubakoError ERR_JUBAKO_INVALID_ARGUMENT that names what is wrong in the configuration file */
export function registrySettings(environment: NodeJS.ProcessEnv = process.env): RegistryOptions {
  const docker = dockerConfig(environment)
  const named = environment.JUBAKO_CONFIG
  return {
    ...fileSettings(named || CONFIG, named !== undefined && named !== ''),
    // bin/jubako keeps it from Node, which would parse it at every start; else Node has read it itself.
    authorities: environment.JUBAKO_EXTRA_CA_CERTS ? [environment.JUBAKO_EXTRA_CA_CERTS] : [],
    proxy: proxiesOf(environment),
    credentials: (registry) => docker.credentials(registry),
  }
}

function proxiesOf(environment: NodeJS.ProcessEnv): NonNullable<RegistryOptions['proxy']> {
  const value = (name: string) => environment[name.toUpperCase()] || environment[name] || ''
  return { http: value('http_proxy'), https: value('https_proxy'), noProxy: value('no_proxy') }
}

/** `registry-mirrors`, `insecure-registries` and `certificates` of the configuration file. */
function fileSettings(path: string, mustExist: boolean): RegistryOptions {
  const settings: RegistryOptions = { certificates: CERTIFICATES }
  if (!mustExist && !existsSync(path)) return settings
  const file = readConfig(path)
  const wrong = (key: string, what: string) => invalidArgument(`${path}: ${key} is not ${what}`, { path })
  const { 'registry-mirrors': mirrors, 'insecure-registries': insecure, certificates } = file
  if (mirrors !== undefined) {
    // A list is for docker.io, as docker has it.
    const byRegistry = Array.isArray(mirrors) ? { 'docker.io': mirrors } : mirrors
    if (!isObject(byRegistry) || !Object.values(byRegistry).every(isStrings)) {
      throw wrong('registry-mirrors', 'a list of URLs, or lists by registry')
    }
    settings.mirrors = byRegistry as Record<string, string[]>
  }
  if (insecure !== undefined) {
    if (!isStrings(insecure)) throw wrong('insecure-registries', 'a list of registries')
    settings.insecure = insecure
  }
  if (certificates !== undefined) {
    if (typeof certificates !== 'string') throw wrong('certificates', 'a directory')
    settings.certificates = certificates
  }
  return settings
}

function readConfig(path: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw invalidArgument(`${path}: ${(cause as Error).message}`, { path, cause })
  }
  if (!isObject(value)) throw invalidArgument(`${path}: not a JSON object`, { path })
  return value
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isStrings(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}
