import type { Route } from './router.js'

const system = () => import('./handlers/system.js')
const usage = () => import('./handlers/system-usage.js')
const events = () => import('./handlers/events.js')
const swarm = () => import('./handlers/swarm.js')
const list = () => import('./handlers/container-list.js')
const create = () => import('./handlers/container-create.js')
const inspect = () => import('./handlers/container-inspect.js')
const state = () => import('./handlers/container-state.js')
const logs = () => import('./handlers/container-logs.js')
const attach = () => import('./handlers/container-attach.js')
const wait = () => import('./handlers/container-wait.js')
const more = () => import('./handlers/container-more.js')
const images = () => import('./handlers/images.js')
const transfer = () => import('./handlers/image-transfer.js')
const auth = () => import('./handlers/auth.js')
const networks = () => import('./handlers/networks.js')
const archive = () => import('./handlers/archive.js')
const commit = () => import('./handlers/commit.js')
const build = () => import('./handlers/build.js')
const volumes = () => import('./handlers/volumes.js')
const stats = () => import('./handlers/container-stats.js')
const exec = () => import('./handlers/exec.js')

const noSwarm = () => swarm().then((it) => it.noSwarm)
const swarmRefused = () => swarm().then((it) => it.swarmRefused)
const pluginMissing = () => swarm().then((it) => it.pluginMissing)
const pluginRefused = () => swarm().then((it) => it.pluginRefused)

/** Every operation of the Docker Engine API 1.51, in the order of its description. */
export const routes: readonly Route[] = [
  ['GET', '/containers/json', 'ContainerList', () => list().then((it) => it.containerList)],
  ['POST', '/containers/create', 'ContainerCreate', () => create().then((it) => it.containerCreate)],
  ['GET', '/containers/{id}/json', 'ContainerInspect', () => inspect().then((it) => it.containerInspect)],
  ['GET', '/containers/{id}/top', 'ContainerTop', () => more().then((it) => it.containerTop)],
  ['GET', '/containers/{id}/logs', 'ContainerLogs', () => logs().then((it) => it.containerLogs)],
  ['GET', '/containers/{id}/changes', 'ContainerChanges', () => more().then((it) => it.containerChanges)],
  ['GET', '/containers/{id}/export', 'ContainerExport', () => archive().then((it) => it.containerExport)],
  ['GET', '/containers/{id}/stats', 'ContainerStats', () => stats().then((it) => it.containerStats)],
  ['POST', '/containers/{id}/resize', 'ContainerResize', () => state().then((it) => it.containerResize)],
  ['POST', '/containers/{id}/start', 'ContainerStart', () => state().then((it) => it.containerStart)],
  ['POST', '/containers/{id}/stop', 'ContainerStop', () => state().then((it) => it.containerStop)],
  ['POST', '/containers/{id}/restart', 'ContainerRestart', () => state().then((it) => it.containerRestart)],
  ['POST', '/containers/{id}/kill', 'ContainerKill', () => state().then((it) => it.containerKill)],
  ['POST', '/containers/{id}/update', 'ContainerUpdate', () => more().then((it) => it.containerUpdate)],
  ['POST', '/containers/{id}/rename', 'ContainerRename', () => more().then((it) => it.containerRename)],
  ['POST', '/containers/{id}/pause', 'ContainerPause', () => state().then((it) => it.containerPause)],
  ['POST', '/containers/{id}/unpause', 'ContainerUnpause', () => state().then((it) => it.containerUnpause)],
  ['POST', '/containers/{id}/attach', 'ContainerAttach', () => attach().then((it) => it.containerAttach)],
  [
    'GET',
    '/containers/{id}/attach/ws',
    'ContainerAttachWebsocket',
    () => attach().then((it) => it.containerAttachWebsocket),
  ],
  ['POST', '/containers/{id}/wait', 'ContainerWait', () => wait().then((it) => it.containerWait)],
  ['DELETE', '/containers/{id}', 'ContainerDelete', () => state().then((it) => it.containerDelete)],
  ['HEAD', '/containers/{id}/archive', 'ContainerArchiveInfo', () => archive().then((it) => it.archiveInfo)],
  ['GET', '/containers/{id}/archive', 'ContainerArchive', () => archive().then((it) => it.archiveGet)],
  ['PUT', '/containers/{id}/archive', 'PutContainerArchive', () => archive().then((it) => it.archivePut)],
  ['POST', '/containers/prune', 'ContainerPrune', () => more().then((it) => it.containerPrune)],
  ['POST', '/containers/{id}/exec', 'ContainerExec', () => exec().then((it) => it.execCreate)],
  ['POST', '/exec/{id}/start', 'ExecStart', () => exec().then((it) => it.execStart)],
  ['POST', '/exec/{id}/resize', 'ExecResize', () => exec().then((it) => it.execResize)],
  ['GET', '/exec/{id}/json', 'ExecInspect', () => exec().then((it) => it.execInspect)],
  ['GET', '/images/json', 'ImageList', () => images().then((it) => it.imageList)],
  ['POST', '/images/create', 'ImageCreate', () => transfer().then((it) => it.imageCreate)],
  ['GET', '/images/get', 'ImageGetAll', () => transfer().then((it) => it.imageGet)],
  ['GET', '/images/search', 'ImageSearch', () => images().then((it) => it.imageSearch)],
  ['POST', '/images/prune', 'ImagePrune', () => images().then((it) => it.imagePrune)],
  ['POST', '/images/load', 'ImageLoad', () => transfer().then((it) => it.imageLoad)],
  ['GET', '/images/{name:.*}/json', 'ImageInspect', () => images().then((it) => it.imageInspect)],
  ['GET', '/images/{name:.*}/history', 'ImageHistory', () => images().then((it) => it.imageHistory)],
  ['GET', '/images/{name:.*}/get', 'ImageGet', () => transfer().then((it) => it.imageGet)],
  ['POST', '/images/{name:.*}/push', 'ImagePush', () => transfer().then((it) => it.imagePush)],
  ['POST', '/images/{name:.*}/tag', 'ImageTag', () => images().then((it) => it.imageTag)],
  ['DELETE', '/images/{name:.*}', 'ImageDelete', () => images().then((it) => it.imageDelete)],
  ['GET', '/distribution/{name:.*}/json', 'DistributionInspect', () => images().then((it) => it.distributionInspect)],
  ['POST', '/auth', 'SystemAuth', () => auth().then((it) => it.systemAuth)],
  ['POST', '/commit', 'ImageCommit', () => commit().then((it) => it.imageCommit)],
  ['POST', '/build', 'ImageBuild', () => build().then((it) => it.imageBuild)],
  ['POST', '/build/prune', 'BuildPrune', () => build().then((it) => it.buildPrune)],
  ['GET', '/system/df', 'SystemDataUsage', () => usage().then((it) => it.systemUsage)],
  ['GET', '/info', 'SystemInfo', () => system().then((it) => it.info)],
  ['GET', '/version', 'SystemVersion', () => system().then((it) => it.version)],
  ['GET', '/_ping', 'SystemPing', () => system().then((it) => it.ping)],
  ['HEAD', '/_ping', 'SystemPingHead', () => system().then((it) => it.pingHead)],
  ['GET', '/events', 'SystemEvents', () => events().then((it) => it.events)],
  ['GET', '/networks', 'NetworkList', () => networks().then((it) => it.networkList)],
  ['GET', '/networks/{id}', 'NetworkInspect', () => networks().then((it) => it.networkInspect)],
  ['DELETE', '/networks/{id}', 'NetworkDelete', () => networks().then((it) => it.networkDelete)],
  ['POST', '/networks/create', 'NetworkCreate', () => networks().then((it) => it.networkCreate)],
  ['POST', '/networks/{id}/connect', 'NetworkConnect', () => networks().then((it) => it.networkConnect)],
  ['POST', '/networks/{id}/disconnect', 'NetworkDisconnect', () => networks().then((it) => it.networkDisconnect)],
  ['POST', '/networks/prune', 'NetworkPrune', () => networks().then((it) => it.networkPrune)],
  ['GET', '/volumes', 'VolumeList', () => volumes().then((it) => it.volumeList)],
  ['POST', '/volumes/create', 'VolumeCreate', () => volumes().then((it) => it.volumeCreate)],
  ['POST', '/volumes/prune', 'VolumePrune', () => volumes().then((it) => it.volumePrune)],
  ['GET', '/volumes/{name}', 'VolumeInspect', () => volumes().then((it) => it.volumeInspect)],
  ['PUT', '/volumes/{name}', 'VolumeUpdate', () => volumes().then((it) => it.volumeUpdate)],
  ['DELETE', '/volumes/{name}', 'VolumeDelete', () => volumes().then((it) => it.volumeDelete)],
  ['GET', '/plugins', 'PluginList', () => swarm().then((it) => it.pluginList)],
  ['GET', '/plugins/privileges', 'GetPluginPrivileges', pluginRefused],
  ['POST', '/plugins/pull', 'PluginPull', pluginRefused],
  ['POST', '/plugins/create', 'PluginCreate', pluginRefused],
  ['GET', '/plugins/{name:.*}/json', 'PluginInspect', pluginMissing],
  ['DELETE', '/plugins/{name:.*}', 'PluginDelete', pluginMissing],
  ['POST', '/plugins/{name:.*}/enable', 'PluginEnable', pluginMissing],
  ['POST', '/plugins/{name:.*}/disable', 'PluginDisable', pluginMissing],
  ['POST', '/plugins/{name:.*}/upgrade', 'PluginUpgrade', pluginMissing],
  ['POST', '/plugins/{name:.*}/push', 'PluginPush', pluginMissing],
  ['POST', '/plugins/{name:.*}/set', 'PluginSet', pluginMissing],
  ['GET', '/swarm', 'SwarmInspect', noSwarm],
  ['POST', '/swarm/init', 'SwarmInit', swarmRefused],
  ['POST', '/swarm/join', 'SwarmJoin', swarmRefused],
  ['POST', '/swarm/leave', 'SwarmLeave', () => swarm().then((it) => it.swarmLeave)],
  ['POST', '/swarm/update', 'SwarmUpdate', noSwarm],
  ['GET', '/swarm/unlockkey', 'SwarmUnlockkey', noSwarm],
  ['POST', '/swarm/unlock', 'SwarmUnlock', noSwarm],
  ...(['node', 'service', 'task', 'secret', 'config'] as const).flatMap(swarmObjects),
  ['POST', '/session', 'Session', () => swarm().then((it) => it.sessionRefused)],
]

/** The operations of one kind of object that only a swarm has. */
function swarmObjects(noun: string): Route[] {
  const name = `${noun[0]!.toUpperCase()}${noun.slice(1)}`
  const rows: Route[] = [
    ['GET', `/${noun}s`, `${name}List`, noSwarm],
    ['GET', `/${noun}s/{id}`, `${name}Inspect`, noSwarm],
  ]
  if (noun === 'service' || noun === 'task') rows.push(['GET', `/${noun}s/{id}/logs`, `${name}Logs`, noSwarm])
  if (noun === 'task') return rows
  rows.push(['DELETE', `/${noun}s/{id}`, `${name}Delete`, noSwarm])
  rows.push(['POST', `/${noun}s/{id}/update`, `${name}Update`, noSwarm])
  if (noun !== 'node') rows.push(['POST', `/${noun}s/create`, `${name}Create`, noSwarm])
  return rows
}
