import type { CommandEntry } from '../command.js'

const entry = (names: string[], summary: string, load: CommandEntry['load']): CommandEntry => ({ names, summary, load })

/** Every command that works, by subject. `docs/parity.md` lists the others too. */
export const commands: readonly CommandEntry[] = [
  entry(['run', 'container run'], 'Create and run a new container from an image', () => import('./run.js')),
  entry(['create', 'container create'], 'Create a new container', () => import('./create.js')),
  entry(['start', 'container start'], 'Start one or more stopped containers', () => import('./start.js')),
  entry(['exec', 'container exec'], 'Execute a command in a running container', () => import('./exec.js')),
  entry(['ps', 'container ls', 'container list', 'container ps'], 'List containers', () => import('./ps.js')),
  entry(['attach', 'container attach'], 'Attach to a running container', () => import('./attach.js')),
  entry(['logs', 'container logs'], 'Fetch the logs of a container', () => import('./logs.js')),
  entry(['stop', 'container stop'], 'Stop one or more running containers', () => import('./stop.js')),
  entry(['restart', 'container restart'], 'Restart one or more containers', () => import('./restart.js')),
  entry(['kill', 'container kill'], 'Kill one or more running containers', () => import('./kill.js')),
  entry(['pause', 'container pause'], 'Pause all processes within containers', () => import('./pause.js')),
  entry(['unpause', 'container unpause'], 'Unpause all processes within containers', () => import('./unpause.js')),
  entry(
    ['wait', 'container wait'],
    'Block until containers stop, then print their exit codes',
    () => import('./wait.js'),
  ),
  entry(['rm', 'container rm', 'container remove'], 'Remove one or more containers', () => import('./rm.js')),
  entry(['stats', 'container stats'], 'Show how much containers use', () => import('./stats.js')),
  entry(['events', 'system events'], 'Show what happens, as it happens', () => import('./events.js')),
  entry(['container prune'], 'Remove all stopped containers', () => import('./container-prune.js')),
  entry(['inspect'], 'Show details of containers and images', () => import('./inspect.js')),
  entry(['container inspect'], 'Show details of containers', () => import('./inspect-container.js')),
  entry(['image inspect'], 'Show details of images', () => import('./inspect-image.js')),
  entry(['images', 'image ls', 'image list'], 'List images', () => import('./images.js')),
  entry(['pull', 'image pull'], 'Download an image from a registry', () => import('./pull.js')),
  entry(['push', 'image push'], 'Upload an image to a registry', () => import('./push.js')),
  entry(['load', 'image load'], 'Load images from an archive or standard input', () => import('./load.js')),
  entry(['rmi', 'image rm', 'image remove'], 'Remove one or more images', () => import('./rmi.js')),
  entry(['tag', 'image tag'], 'Give an image another name', () => import('./tag.js')),
  entry(['login'], 'Authenticate to a registry', () => import('./login.js')),
  entry(['logout'], 'Log out from a registry', () => import('./logout.js')),
  entry(['version'], 'Show the version', () => import('./version.js')),
  entry(['info', 'system info'], 'Show the state of the engine', () => import('./info.js')),
]
