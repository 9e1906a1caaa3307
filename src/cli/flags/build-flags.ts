import { parseUlimit } from '../values/ulimit.js'
import { parsePlatform } from '../values/words.js'
import type { FlagRow } from './spec.js'

const refused = (reason: string) => ({ status: 'refused', reason }) as const
const noEffect = { hidden: true } as const

/** Scripts switch attestations off; asking for one is an error. */
function noAttestation(text: string): false {
  if (/^(0|f|false)$/i.test(text) || /(^|,)disabled=(1|true)(,|$)/.test(text)) return false
  throw new Error('attestations are not made: the image has nothing but what the Dockerfile says')
}

/** Flags of `build`: docker's, BuildKit's, and a few of our own. */
export const buildFlags: readonly FlagRow[] = [
  ['', 'add-host', 'list', 'Add a host to /etc/hosts of RUN steps (host:ip)'],
  ['', 'allow', 'stringSlice', 'Allow what is not allowed by itself (security.insecure, secrets.in-layers)'],
  ['', 'annotation', 'list', 'Add an annotation to the manifest of the image (key=value)'],
  ['', 'attest', 'list', 'Attestations', refused('attestations are not made')],
  ['', 'build-arg', 'list', 'Set an ARG (NAME=value, or NAME for the value of the environment)'],
  ['', 'build-context', 'list', 'More contexts (name=folder, address or docker-image://name)'],
  ['', 'builder', 'string', 'Builder to use', refused('there is one builder, the engine itself')],
  ['', 'cache-from', 'list', 'Where else to look for cached steps (an image, type=registry,ref=, type=local,src=)'],
  [
    '',
    'cache-to',
    'list',
    'Where else to put cached steps (type=registry,ref=, type=local,dest=, type=inline; mode=min|max)',
  ],
  ['', 'call', 'string', 'What to ask of the Dockerfile (build, check, outline, targets)', { default: '"build"' }],
  ['', 'cgroup-parent', 'string', 'Parent cgroup of RUN steps'],
  ['', 'check', 'bool', 'Check the Dockerfile and build nothing'],
  ['', 'compress', 'bool', 'Accepted and without effect: the context is not sent anywhere', noEffect],
  ['', 'cpu-period', 'int64', 'Period of the CPU limit in microseconds'],
  ['', 'cpu-quota', 'int64', 'CPU time per period in microseconds'],
  ['c', 'cpu-shares', 'int64', 'Relative weight'],
  ['', 'cpus', 'decimal', 'Number of CPUs for RUN steps'],
  ['', 'cpuset-cpus', 'string', 'CPUs that may be used (0-3, 0,1)'],
  ['', 'cpuset-mems', 'string', 'Memory nodes that may be used (0-3, 0,1)'],
  ['', 'debug-on-error', 'bool', 'Open a shell where a RUN step failed'],
  ['', 'disable-content-trust', 'bool', 'Accepted and without effect', { ...noEffect, default: 'true' }],
  [
    'f',
    'file',
    'string',
    'The Dockerfile, also outside of the context; - is standard input',
    { default: '"PATH/Dockerfile"' },
  ],
  ['', 'force-rm', 'bool', 'Accepted: nothing of a step stays whatever its end', noEffect],
  ['', 'iidfile', 'string', 'Write the image ID to a file'],
  ['', 'isolation', 'string', 'Container isolation technology', refused('Linux has one')],
  ['', 'label', 'list', 'Add a label to the image'],
  ['', 'load', 'bool', 'Accepted: images are in the store anyway', noEffect],
  ['m', 'memory', 'bytes', 'Memory limit of RUN steps'],
  ['', 'memory-swap', 'memory-swap', 'Limit of memory plus swap; -1 is unlimited swap'],
  ['', 'metadata-file', 'string', 'Write what was built to a file, as JSON'],
  ['', 'network', 'string', 'Network of RUN steps that do not say', { default: '"default"' }],
  ['', 'no-cache', 'bool', 'Build every step anew'],
  ['', 'no-cache-filter', 'stringSlice', 'Build every step of these stages anew'],
  ['o', 'output', 'list', 'Where the result goes (type=local|tar|docker|oci|image|registry,dest=path)'],
  ['', 'platform', 'string', 'Platform (os/arch[/variant])', { parse: parsePlatform }],
  ['', 'progress', 'string', 'How progress is shown (auto, plain, tty, rawjson, quiet)', { default: '"auto"' }],
  ['', 'provenance', 'string', 'Attestation of how it was built: can only be switched off', { parse: noAttestation }],
  ['', 'pull', 'bool', 'Fetch base images anew'],
  ['', 'push', 'bool', 'Send the image to its registry'],
  ['q', 'quiet', 'bool', 'Show the image ID only'],
  ['', 'rm', 'bool', 'Accepted: nothing of a step stays', { ...noEffect, default: 'true' }],
  ['', 'sbom', 'string', 'Attestation of what is in it: can only be switched off', { parse: noAttestation }],
  ['', 'secret', 'list', 'A secret for RUN --mount=type=secret (id=name,src=file or env=NAME)'],
  ['', 'security-opt', 'stringSlice', 'Security options of RUN steps'],
  ['', 'shm-size', 'bytes', 'Size of /dev/shm'],
  [
    '',
    'squash',
    'bool',
    'Make one layer of all',
    refused('BuildKit has it no more: copy the result into a last stage'),
  ],
  ['', 'ssh', 'list', 'An agent for RUN --mount=type=ssh (default, or id=socket)'],
  ['t', 'tag', 'list', 'Name of the image (name:tag)'],
  ['', 'target', 'string', 'Stage to build'],
  ['', 'timeout', 'duration', 'Time that the build may take'],
  ['', 'ulimit', 'ulimit', 'Ulimit of RUN steps (name=soft[:hard])', { parse: parseUlimit }],
]
