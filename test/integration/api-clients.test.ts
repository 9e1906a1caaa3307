// lanes: host
/** The docker command, docker-compose, dockerode, Docker's SDK for Node and testcontainers against the API, each unchanged, in a network namespace of the test. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { dockerClients } from '../fixtures/docker-clients.js'
import { busyboxImage } from '../fixtures/images.js'
import { differences, type Heard } from '../helpers/api-series.js'
import { CHECKOUT } from '../helpers/checkout.js'
import { TOOL_ENV } from '../helpers/processes.js'

interface Result {
  code: number
  stdout: string
  stderr: string
}

/** Runs a script in a new network namespace with an engine that is served for it alone. */
async function served(script: string, work: string, env: Record<string, string> = {}): Promise<Result> {
  const { layout } = await busyboxImage()
  const jubako = `${join(CHECKOUT, 'bin/jubako')} --root ${work}/root --run-root ${work}/run`
  const text = `set -e
ip link set lo up
test -d ${work}/root/images || { tar -C ${layout} -cf - . | ${jubako} load -q >/dev/null
  ${jubako} tag "$(${jubako} images -q)" busybox:latest; }
exec ${jubako} serve -- sh -e ${work}/script`
  writeFileSync(join(work, 'script'), script)
  return new Promise((resolve) => {
    execFile(
      'unshare',
      ['-n', 'sh', '-c', text],
      {
        env: { ...TOOL_ENV, HOME: work, WORK: work, ...env },
        maxBuffer: 1 << 26,
        timeout: 240_000,
      },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
        resolve({ code, stdout, stderr })
      },
    )
  })
}

function workDirectory(t: { teardown(act: () => void): void }): string {
  const work = mkdtempSync(join(tmpdir(), 'jubako-clients-'))
  t.teardown(() => rmSync(work, { recursive: true, force: true }))
  return work
}

/** Each line prints what it found; a command that fails ends the script. */
const TOUR = `
check() { if [ "$2" = "$3" ]; then echo "ok $1"; else echo "FAILED $1: [$2] is not [$3]"; exit 9; fi; }
exits() { want=$1; shift; set +e; "$@" >/dev/null 2>&1; got=$?; set -e; check "exit $want of $*" "$got" "$want"; }
# With buildx the command line does not ask the engine how to build.
if $DOCKER buildx version >/dev/null 2>&1; then export DOCKER_BUILDKIT=0; fi
$DOCKER version >/dev/null
$DOCKER info >/dev/null
$DOCKER images --format '{{.Repository}}:{{.Tag}}' | grep -q '^busybox:latest$'
check run "$($DOCKER run --rm busybox echo hello)" hello
check stdin "$(echo text | $DOCKER run --rm -i busybox cat)" text
exits 3 $DOCKER run --rm busybox sh -c 'exit 3'
exits 127 $DOCKER run --rm busybox /nothing
exits 126 $DOCKER run --rm busybox /etc
script -qec "$DOCKER run --rm -it busybox tty" /dev/null | grep -q /dev/pts/0
$DOCKER run -d --name web --label a=b -p 127.0.0.1:0:80 busybox sh -c 'echo started; echo page > /index.html; exec httpd -f -h /' >/dev/null
check ps "$($DOCKER ps --filter label=a=b --format '{{.Names}} {{.State}}')" 'web running'
for try in 1 2 3 4 5 6 7 8 9 10; do page=$(wget -qO- "http://$($DOCKER port web 80)/" || sleep 0.3); [ -n "$page" ] && break; done
check port "$page" page
check logs "$($DOCKER logs web)" started
check exec "$($DOCKER exec -e A=b web sh -c 'echo $A')" b
check 'exec -i' "$(echo in | $DOCKER exec -i web cat)" in
script -qec "$DOCKER exec -it web tty" /dev/null | grep -q /dev/pts/
exits 7 $DOCKER exec web sh -c 'exit 7'
exits 127 $DOCKER exec web /nothing
$DOCKER top web | grep -q httpd
$DOCKER stats --no-stream --format '{{.Name}}' web | grep -q '^web$'
$DOCKER diff web | grep -q '^A /index.html'
echo copied > $WORK/file
$DOCKER cp $WORK/file web:/tmp/file
check cp "$($DOCKER cp web:/tmp/file - | tar xOf -)" copied
$DOCKER pause web
check pause "$($DOCKER inspect -f '{{.State.Status}}' web)" paused
$DOCKER unpause web
$DOCKER rename web web2
$DOCKER update --memory 64m --memory-swap 64m web2 >/dev/null
check update "$($DOCKER inspect -f '{{.HostConfig.Memory}}' web2)" 67108864
$DOCKER restart -t 0 web2 >/dev/null
$DOCKER kill web2 >/dev/null
check wait "$($DOCKER wait web2)" 137
$DOCKER commit -m changed web2 made:1 >/dev/null
check commit "$($DOCKER run --rm made:1 cat /tmp/file)" copied
$DOCKER history made:1 | grep -q changed
$DOCKER save -o $WORK/made.tar made:1
$DOCKER rmi made:1 >/dev/null
$DOCKER load -q -i $WORK/made.tar | grep -q 'made:1'
$DOCKER export web2 | tar tf - | grep -q '^tmp/file$'
$DOCKER export web2 | $DOCKER import - imported:1 >/dev/null
check import "$($DOCKER run --rm imported:1 cat /tmp/file)" copied
mkdir -p $WORK/context
printf 'FROM busybox\\nARG WORD\\nRUN echo $WORD > /word\\nCMD ["cat","/word"]\\n' > $WORK/context/Dockerfile
$DOCKER build --build-arg WORD=built -t built:1 $WORK/context 2>&1 | grep -q 'Successfully tagged built:1'
check build "$($DOCKER run --rm built:1)" built
$DOCKER tag built:1 again:1
printf 'FROM busybox\\nRUN exit 7\\n' > $WORK/context/Dockerfile
exits 7 $DOCKER build $WORK/context
$DOCKER network create net >/dev/null
$DOCKER network ls --format '{{.Name}}' | grep -q '^net$'
$DOCKER create --name joined busybox true >/dev/null
$DOCKER network connect net joined
check network "$($DOCKER inspect -f '{{range $name, $it := .NetworkSettings.Networks}}{{$name}} {{end}}' joined)" 'bridge net '
$DOCKER network disconnect net joined
$DOCKER network rm net >/dev/null
$DOCKER start -a joined
$DOCKER volume create vol >/dev/null
$DOCKER run --rm -v vol:/data busybox sh -c 'echo kept > /data/file'
check volume "$($DOCKER run --rm -v vol:/data:ro busybox cat /data/file)" kept
$DOCKER volume ls -q | grep -q '^vol$'
$DOCKER volume rm vol >/dev/null
$DOCKER events --since 10m --until 0s --filter event=die --format '{{.Action}}' | grep -q die
exits 1 $DOCKER inspect nothing
$DOCKER rm -f web2 joined >/dev/null
$DOCKER container prune -f >/dev/null
$DOCKER image prune -f >/dev/null
check 'nothing is left' "$($DOCKER ps -aq)" ''
echo TOUR ENDED
`

t.test('the docker command, the whole tour', async (t) => {
  const clients = await dockerClients()
  t.ok(clients.length > 0)
  for (const { name, path } of clients) {
    const { code, stdout, stderr } = await served(TOUR, workDirectory(t), { DOCKER: path })
    t.equal(code, 0, `${name}: ${stderr.slice(-2000)}${stdout.slice(-500)}`)
    t.match(stdout, /TOUR ENDED/, name)
  }
})

const program = (name: string): string => `node ${join(CHECKOUT, 'test/fixtures/clients', name)}`

const COMPOSE = `
cd ${join(CHECKOUT, 'test/fixtures/clients/compose')}
export COMPOSE_PROJECT_NAME=project
check() { if [ "$2" = "$3" ]; then echo "ok $1"; else echo "FAILED $1: [$2] is not [$3]"; exit 9; fi; }
docker-compose up -d >$WORK/said 2>&1 || { cat $WORK/said; exit 8; }
docker-compose ps | grep -q 'project_web_1.*Up'
check service "$(docker-compose exec -T client wget -qO- http://web/)" page
check build "$(docker-compose exec -T client cat /word)" built
docker-compose exec -T web sh -c 'echo kept > /data/file'
check volume "$(docker-compose run --rm -T client cat /data/file 2>$WORK/said)" kept
check 'what compose says of a run' "$(grep -v '^Creating' $WORK/said)" ''
check port "$(wget -qO- http://$(docker-compose port web 80)/)" page
docker-compose logs --no-color web | grep -q served
docker-compose up -d --scale client=2 >$WORK/said 2>&1
grep -q 'project_web_1 is up-to-date' $WORK/said
docker-compose stop -t 0 >/dev/null 2>&1
docker-compose start >/dev/null 2>&1
check 'after a restart' "$(docker-compose exec -T --index=2 client wget -qO- http://web/)" page
docker-compose down -v -t 0 >/dev/null 2>&1
check containers "$(docker-compose ps -q)" ''
echo COMPOSE ENDED
`

/** Where we differ from docker 20.10 (API 1.41) on purpose. */
const DIFFERENT = [
  // A client's mistake is a 500 there; newer dockers, which we follow, say what it is.
  /: status 500 expected, (400|409|503|404) found$/,
  // 20.10 takes an empty image for one, and lets names of networks be wrong until the start.
  /^create (an empty image|no such network|a relative target): status/,
  // Its answers of logs have no type.
  /^logs.*: type null expected/,
  // An exec that has run is told of inside of the stream; a push without credentials is refused before it is looked at; an
  // archive that is none is told of inside of the stream; unknown filters of events pass.
  /^(exec start again|push nowhere|load nothing|events, bad filter): status/,
  // Gone by 1.51.
  /\.(KernelMemory|KernelMemoryTCP|Expected|AllowNondistributable\w+|BridgeNf\w+|Container|ContainerConfig): missing$/,
  // Of cgroup v1 only.
  /\.(percpu_usage|max_usage): missing$/,
  // Null where there are none, as newer dockers have it.
  /^volume.*\.Options: "map" expected, "null" found$/,
]

t.test('statuses and members of answers are those of docker', async (t) => {
  const work = workDirectory(t)
  const { code, stderr } = await served(
    `node ${join(CHECKOUT, 'dist/test/helpers/api-series.js')} busybox > $WORK/heard`,
    work,
  )
  t.equal(code, 0, stderr.slice(-2000))
  const read = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Heard[]
  const expected = read(join(CHECKOUT, 'test/fixtures/docker-api.json'))
  t.ok(expected.length > 200)
  const found = differences(expected, read(join(work, 'heard')))
  t.strictSame(
    found.filter((it) => !DIFFERENT.some((known) => known.test(it))),
    [],
  )
})

t.test('docker-compose', async (t) => {
  const { code, stdout, stderr } = await served(COMPOSE, workDirectory(t))
  t.equal(code, 0, `${stderr.slice(-2000)}${stdout.slice(-1000)}`)
  t.match(stdout, /COMPOSE ENDED/)
})

t.test('docker’s SDK for node', async (t) => {
  const { code, stdout, stderr } = await served(program('node-sdk.mjs'), workDirectory(t))
  t.equal(code, 0, stderr.slice(-2000))
  t.match(stdout, /all is well/)
})

t.test('dockerode', async (t) => {
  const { code, stdout, stderr } = await served(program('dockerode.mjs'), workDirectory(t))
  t.equal(code, 0, stderr.slice(-2000))
  t.match(stdout, /all is well/)
})

t.test('testcontainers', async (t) => {
  const { code, stdout, stderr } = await served(program('testcontainers.mjs'), workDirectory(t))
  t.equal(code, 0, stderr.slice(-3000))
  t.match(stdout, /all is well/)
})
