import type { EngineContext } from './context.js'

/** Docker's `image inspect` (Engine API 1.51, ImageInspect). */
export function inspectImage(
  context: EngineContext,
  nameOrId: string,
  wanted: string | undefined,
): Record<string, unknown> {
  const image = context.images.resolve(nameOrId, { platform: wanted })
  const summary = context.images.list().find(({ id }) => id === image.id)
  const { config, platform, created, author, history } = image.config
  return {
    Id: image.id,
    RepoTags: summary?.tags ?? [],
    RepoDigests: summary?.digests ?? [],
    Parent: '',
    Comment: history.at(-1)?.comment ?? '',
    Created: created ?? '0001-01-01T00:00:00Z',
    DockerVersion: '',
    Author: author ?? '',
    Config: {
      Hostname: '',
      Domainname: '',
      User: config.User ?? '',
      AttachStdin: false,
      AttachStdout: false,
      AttachStderr: false,
      ...(config.ExposedPorts && { ExposedPorts: config.ExposedPorts }),
      Tty: false,
      OpenStdin: false,
      StdinOnce: false,
      Env: config.Env ?? [],
      Cmd: config.Cmd ?? null,
      Image: '',
      Volumes: config.Volumes ?? null,
      WorkingDir: config.WorkingDir ?? '',
      Entrypoint: config.Entrypoint ?? null,
      OnBuild: config.OnBuild ?? null,
      Labels: config.Labels ?? null,
      ...(config.StopSignal !== undefined && { StopSignal: config.StopSignal }),
      ...(config.Healthcheck !== undefined && { Healthcheck: config.Healthcheck }),
    },
    Architecture: platform.architecture,
    ...(platform.variant !== undefined && { Variant: platform.variant }),
    Os: platform.os,
    Size: summary?.size ?? 0,
    GraphDriver: {
      Name: 'overlay2',
      Data: { LowerDir: image.layers.slice(1).join(':'), UpperDir: image.layers[0] ?? '' },
    },
    RootFS: { Type: 'layers', Layers: image.diffIds },
    Metadata: { LastTagTime: '0001-01-01T00:00:00Z' },
  }
}
