// lanes: host
// docker, podman, skopeo, buildah and jubako push to, pull from and delete in the registry, with and without https and accounts.
import { execFile } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { serveRegistry } from '../../src/hub/index.js'
import { digestOf } from '../../src/oci/index.js'
import { dockerClients } from '../fixtures/docker-clients.js'
import { accounts, certificate, MANIFEST } from '../fixtures/hub.js'
import { busyboxImage, layeredImage } from '../fixtures/images.js'
import { TAG } from '../fixtures/layout.js'
import { CHECKOUT } from '../helpers/checkout.js'
import { TOOL_ENV } from '../helpers/processes.js'

interface Place {
  /** `host:port`. */
  registry: string
  work: string
  secure: boolean
}

async function serve(t: Test, secure: boolean): Promise<Place> {
  const work = mkdtempSync(join(tmpdir(), 'jubako-hub-clients-'))
  t.teardown(() => rmSync(work, { recursive: true, force: true }))
  const more = secure
    ? { tls: await certificate(join(work, 'certs')), htpasswd: await accounts(work, { alice: 'wonder' }) }
    : {}
  const server = await serveRegistry({ root: join(work, 'registry'), port: 0, ...more })
  t.teardown(() => server.close())
  if (secure) {
    // As clients look for authorities: a folder per registry.
    mkdirSync(join(work, 'trust'))
    writeFileSync(join(work, 'trust/ca.crt'), readFileSync(join(work, 'certs/cert.pem')))
  }
  return { registry: server.address, work, secure }
}

const HEAD = `
if [ -n "$SECURE" ]; then T="--cert-dir=$WORK/trust"; D="--dest-cert-dir=$WORK/trust"; S="--src-cert-dir=$WORK/trust"
else T="--tls-verify=false"; D="--dest-tls-verify=false"; S="--src-tls-verify=false"; fi
check() { if [ "$2" = "$3" ]; then echo "ok $1"; else echo "FAILED $1: [$2] is not [$3]"; exit 9; fi; }
fails() { if "$@" >/dev/null 2>&1; then echo "FAILED: $* did not fail"; exit 9; fi; }
`

function script(place: Place, text: string, env: Record<string, string> = {}): Promise<{ code: number; said: string }> {
  const { registry, work, secure } = place
  writeFileSync(join(work, 'script'), HEAD + text)
  writeFileSync(join(work, 'auth.json'), '{}')
  return new Promise((resolve) => {
    execFile(
      'sh',
      ['-e', join(work, 'script')],
      {
        env: {
          ...TOOL_ENV,
          HOME: work,
          WORK: work,
          REGISTRY: registry,
          SECURE: secure ? '1' : '',
          DOCKER_CONFIG: join(work, 'docker-config'),
          REGISTRY_AUTH_FILE: join(work, 'auth.json'),
          JUBAKO_NETWORK: 'none',
          JUBAKO_CONFIG: join(work, 'jubako.json'),
          ...env,
        },
        maxBuffer: 1 << 26,
        timeout: 180_000,
      },
      (error, stdout, stderr) => resolve({ code: error === null ? 0 : 1, said: `${stdout}${stderr}`.slice(-3000) }),
    )
  })
}

/** An OCI layout with an artifact that refers to an image; returns the image's digest. */
function artifactFor(layout: string, directory: string): string {
  const { manifests } = JSON.parse(readFileSync(join(layout, 'index.json'), 'utf8')) as {
    manifests: { digest: string; size: number }[]
  }
  const { digest, size } = manifests[0]!
  mkdirSync(join(directory, 'blobs/sha256'), { recursive: true })
  const blob = (mediaType: string, text: string) => {
    const item = { mediaType, digest: digestOf(text), size: text.length }
    writeFileSync(join(directory, 'blobs/sha256', item.digest.slice(7)), text)
    return item
  }
  const document = {
    schemaVersion: 2,
    mediaType: MANIFEST,
    artifactType: 'application/vnd.example.sbom',
    config: blob('application/vnd.oci.empty.v1+json', '{}'),
    layers: [blob('application/json', '{"packages":[]}')],
    subject: { mediaType: MANIFEST, digest, size },
  }
  const annotations = { 'org.opencontainers.image.ref.name': 'sbom' }
  const manifest = { ...blob(MANIFEST, JSON.stringify(document)), annotations }
  writeFileSync(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
  writeFileSync(join(directory, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [manifest] }))
  return digest
}

for (const secure of [false, true]) {
  t.test(secure ? 'https and accounts' : 'plain', async (t) => {
    const place = await serve(t, secure)
    await t.test('skopeo and buildah', (t) => skopeoAndBuildah(t, place))
    await t.test('podman', (t) => podman(t, place))
    await t.test('docker, through jubako’s API, and jubako', (t) => dockerAndJubako(t, place))
  })
}

async function skopeoAndBuildah(t: Test, place: Place): Promise<void> {
  const { layout } = await busyboxImage()
  const few = await layeredImage(20)
  const subject = artifactFor(layout, join(place.work, 'artifact'))
  const count = place.secure ? 20 : 200
  const many = await layeredImage(count)
  const text = `
if [ -n "$SECURE" ]; then
  fails skopeo copy -q $D oci:${layout}:${TAG} docker://$REGISTRY/lib/busybox:1
  fails skopeo login $T -u alice -p wrong $REGISTRY
  skopeo login $T -u alice -p wonder $REGISTRY
fi
skopeo copy -q $D oci:${layout}:${TAG} docker://$REGISTRY/lib/busybox:1
skopeo copy -q $D oci:${many.layout}:${TAG} docker://$REGISTRY/many:1
skopeo copy -q $D oci:${few.layout}:${TAG} docker://$REGISTRY/few:1
check layers "$(skopeo inspect $T --format '{{len .Layers}}' docker://$REGISTRY/many:1)" ${count}
skopeo copy -q $S docker://$REGISTRY/many:1 oci:$WORK/many:1
skopeo copy -q $S $D docker://$REGISTRY/lib/busybox:1 docker://$REGISTRY/other/busybox:1
check tags "$(skopeo list-tags $T docker://$REGISTRY/other/busybox | tr -d ' \\n')" "{\\"Repository\\":\\"$REGISTRY/other/busybox\\",\\"Tags\\":[\\"1\\"]}"
# An index of two platforms, and one of its manifests alone.
B="buildah --root $WORK/buildah --runroot $WORK/buildah-run --storage-driver vfs"
$B manifest create list >/dev/null
$B manifest add --arch amd64 list oci:${layout}:${TAG} >/dev/null
$B manifest add --arch arm64 --variant v8 list oci:${few.layout}:${TAG} >/dev/null
$B manifest push -q $T --all list docker://$REGISTRY/index:1
check platforms "$(skopeo inspect $T --raw docker://$REGISTRY/index:1 | tr -d ' \\n' | grep -o '"architecture":"[a-z0-9]*"' | sort | tr '\\n' ' ')" '"architecture":"amd64" "architecture":"arm64" '
skopeo copy -q --all $S docker://$REGISTRY/index:1 oci:$WORK/index:1
# An artifact that refers to an image.
skopeo copy -q $D oci:$WORK/artifact:sbom docker://$REGISTRY/lib/busybox:sbom
C="curl -sS --fail"; U=http
if [ -n "$SECURE" ]; then C="$C --cacert $WORK/trust/ca.crt -u alice:wonder"; U=https; fi
found=$($C "$U://$REGISTRY/v2/lib/busybox/referrers/${subject}?artifactType=application/vnd.example.sbom")
pushed=sha256:$(skopeo inspect $T --raw docker://$REGISTRY/lib/busybox:sbom | sha256sum | cut -d ' ' -f 1)
check referrers "$(echo "$found" | grep -o '"digest":"[a-z0-9:]*"' | cut -d '"' -f 4)" "$pushed"
skopeo copy -q $S docker://$REGISTRY/lib/busybox:sbom oci:$WORK/pulled:sbom
skopeo delete $T docker://$REGISTRY/lib/busybox:sbom
check 'no referrers' "$($C "$U://$REGISTRY/v2/lib/busybox/referrers/${subject}" | grep -c sbom || true)" 0
c=$($B from $T docker://$REGISTRY/lib/busybox:1)
$B config --label made=here $c
$B commit -q $c made >/dev/null
$B push -q $T made docker://$REGISTRY/made:1
check label "$(skopeo inspect $T --format '{{.Labels.made}}' docker://$REGISTRY/made:1)" here
$B rm $c >/dev/null
skopeo delete $T docker://$REGISTRY/made:1
fails skopeo inspect $T docker://$REGISTRY/made:1
if [ -n "$SECURE" ]; then skopeo logout $REGISTRY; fails skopeo inspect $T docker://$REGISTRY/many:1; fi
echo ENDED`
  const { code, said } = await script(place, text)
  t.equal(code, 0, said)
  t.match(said, /ENDED/)
}

async function podman(t: Test, place: Place): Promise<void> {
  const { layout } = await busyboxImage()
  const text = `
P="podman --root $WORK/podman --runroot $WORK/podman-run --storage-driver vfs"
skopeo copy -q oci:${layout}:${TAG} docker-archive:$WORK/box.tar:$REGISTRY/box:1
$P load -q -i $WORK/box.tar >/dev/null
if [ -n "$SECURE" ]; then
  fails $P push -q $T $REGISTRY/box:1
  echo wonder | $P login $T -u alice --password-stdin $REGISTRY
fi
$P push -q $T $REGISTRY/box:1
$P rmi -f $REGISTRY/box:1 >/dev/null
$P pull -q $T $REGISTRY/box:1 >/dev/null
check image "$($P images --format '{{.Repository}}:{{.Tag}}')" "$REGISTRY/box:1"
$P pull -q $T $REGISTRY/few:1 >/dev/null
check layers "$($P inspect --format '{{len .RootFS.Layers}}' $REGISTRY/few:1)" 20
$P pull -q $T $REGISTRY/index:1 >/dev/null
check platform "$($P inspect --format '{{.Architecture}}' $REGISTRY/index:1)" amd64
skopeo delete $T docker://$REGISTRY/box:1
fails $P pull -q $T $REGISTRY/box:1
echo ENDED`
  const { code, said } = await script(place, text)
  t.equal(code, 0, said)
  t.match(said, /ENDED/)
}

async function dockerAndJubako(t: Test, place: Place): Promise<void> {
  const { layout } = await busyboxImage()
  const config = place.secure ? { certificates: join(place.work, 'jubako-certs') } : {}
  writeFileSync(join(place.work, 'jubako.json'), JSON.stringify(config))
  if (place.secure) {
    mkdirSync(join(place.work, 'jubako-certs', place.registry), { recursive: true })
    const [from, to] = [join(place.work, 'certs/cert.pem'), join(place.work, 'jubako-certs', place.registry, 'ca.crt')]
    copyFileSync(from, to)
  }
  const client = (await dockerClients())[0]!
  const jubako = `${join(CHECKOUT, 'bin/jubako')} --root ${place.work}/root --run-root ${place.work}/run`
  const text = `
tar -C ${layout} -cf - . | $JUBAKO load -q >/dev/null
$JUBAKO tag "$($JUBAKO images -q)" busybox:latest
cat > $WORK/inner <<'INNER'
check() { if [ "$2" = "$3" ]; then echo "ok $1"; else echo "FAILED $1: [$2] is not [$3]"; exit 9; fi; }
fails() { if "$@" >/dev/null 2>&1; then echo "FAILED: $* did not fail"; exit 9; fi; }
$DOCKER tag busybox $REGISTRY/lib/box:1
if [ -n "$SECURE" ]; then
  fails $DOCKER push $REGISTRY/lib/box:1
  fails $DOCKER login -u alice -p wrong $REGISTRY
  echo wonder | $DOCKER login -u alice --password-stdin $REGISTRY | grep -q 'Login Succeeded'
fi
$DOCKER push $REGISTRY/lib/box:1 | grep -q '1: digest: sha256:'
$DOCKER rmi $REGISTRY/lib/box:1 >/dev/null
$DOCKER pull -q $REGISTRY/lib/box:1
$DOCKER pull -q $REGISTRY/many:1
check layers "$($DOCKER inspect --format '{{len .RootFS.Layers}}' $REGISTRY/many:1)" $LAYERS
$DOCKER pull -q $REGISTRY/index:1
check platform "$($DOCKER inspect --format '{{.Architecture}}' $REGISTRY/index:1)" amd64
check run "$($DOCKER run --rm --network none $REGISTRY/lib/box:1 echo hi)" hi
if [ -n "$SECURE" ]; then $DOCKER logout $REGISTRY; fails $DOCKER pull $REGISTRY/lib/box:1; fi
INNER
$JUBAKO serve -- sh -e $WORK/inner
if [ -n "$SECURE" ]; then
  fails $JUBAKO push $REGISTRY/lib/box:1
  fails $JUBAKO login -u alice -p wrong $REGISTRY
  echo wonder | $JUBAKO login -u alice --password-stdin $REGISTRY
fi
$JUBAKO tag busybox $REGISTRY/ours:1
$JUBAKO push -q $REGISTRY/ours:1
$JUBAKO rmi $REGISTRY/ours:1 >/dev/null
$JUBAKO pull -q $REGISTRY/ours:1
$JUBAKO pull -q $REGISTRY/index:1
$JUBAKO manifest create $REGISTRY/list:1 $REGISTRY/ours:1 $REGISTRY/lib/box:1 >/dev/null
$JUBAKO manifest push $REGISTRY/list:1 | grep -q sha256:
if [ -n "$SECURE" ]; then skopeo login $T -u alice -p wonder $REGISTRY; fi
skopeo delete $T docker://$REGISTRY/ours:1
fails $JUBAKO pull -q $REGISTRY/ours:1
echo ENDED`
  const { code, said } = await script(place, text, {
    DOCKER: client.path,
    JUBAKO: jubako,
    LAYERS: place.secure ? '20' : '200',
  })
  t.equal(code, 0, said)
  t.match(said, /ENDED/)
}
