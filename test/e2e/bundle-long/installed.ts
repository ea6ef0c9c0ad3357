import { copyFile, mkdir, readFile, rm } from 'node:fs/promises'
import path from 'node:path'
import { expect } from '@playwright/test'
import { startEngine, type Engine } from './engine.ts'
import { buildImages, run, saveImage } from './images.ts'
import type { Network } from './network.ts'
import { DOMAIN, makeEnvironment, publish, type Published } from './published.ts'
import { fetchAt, type Place } from './uses.ts'

/** The hub's user: one that every machine has. */
export const USER = { name: 'nobody', id: 65_534 }

/** A bundle for Docker, installed by its own deploy.sh with Docker Compose on a real engine; the images were built beside it. */
export interface Installed {
  place: Place
  engine: Engine
  compose: (...args: string[]) => Promise<string>
  script: (name: string, ...args: string[]) => Promise<string>
  /** A command, with what the scripts find in their environment. */
  shell: (command: string) => Promise<string>
  /** deploy.sh of another bundle. */
  deploy: (bundle: string) => Promise<string>
  /** Nothing of the machine is left but the engine with its images: the bundle on an empty one, with new secrets. */
  replaceMachine: (prepare: Prepare) => Promise<void>
  /** What deploy.sh said. */
  deployed: string
  release: string
  root: string
  address: string
  dispose: () => Promise<void>
}

type Prepare = (engine: Engine, bundle: string) => Promise<unknown>

/** Before its deploy.sh runs, `prepare` does what the bundle's README says besides; the folder `root` is there, with `.env`. */
export async function install(
  network: Network,
  root: string,
  options: string[] = [],
  prepare: Prepare = () => Promise.resolve(),
): Promise<Installed> {
  const ports = ['--http-port', '8080', '--https-port', '8443']
  const published = await publish('--mode', 'docker', '--install-dir', root, ...ports, ...options)
  const release = await releaseOf(published)
  const folder = path.join(root, 'releases', release)
  const engine = await startEngine(network)
  const environment = scriptEnvironment(engine, root)
  const compose = (...args: string[]): Promise<string> => engine.docker('compose', '-p', 'mcp-hub', ...args)
  const dispose = async (): Promise<void> => {
    await compose('down', '--volumes').catch(() => undefined)
    await engine.dispose()
    await rm(root, { recursive: true, force: true })
    await published.dispose()
  }
  // In the network of the engine, where its ports are on loopback.
  const enter = (script: string, more: Record<string, string> = {}, ...args: string[]): Promise<string> =>
    run(...network.enter('nice', '-n', '-10', 'bash', script, ...args), root, { ...environment, ...more })
  try {
    await loadImages(engine, published, release)
    const setUp = async (environmentFile: string, prepare: Prepare): Promise<string> => {
      for (const name of ['releases', 'tls', 'cron.d']) await mkdir(path.join(root, name), { recursive: true })
      await run('cp', ['-R', published.bundle, folder])
      await copyFile(environmentFile, path.join(root, '.env'))
      await copyFile(published.certificate, path.join(root, 'tls/fullchain.pem'))
      await copyFile(published.key, path.join(root, 'tls/privkey.pem'))
      await prepare(engine, folder)
      return enter(path.join(folder, 'ops/deploy.sh'), { MCP_HUB_STEPS: 'json' })
    }
    const deployed = await setUp(published.environmentFile, prepare)
    const place: Place = {
      origin: `https://${DOMAIN}:8443`,
      token: published.environment['MCP_HUB_TOKEN'] ?? '',
      password: published.environment['MCP_HUB_ADMIN_PASSWORD'] ?? '',
      fetch: await fetchAt(network.address, published.certificate),
    }
    return {
      place,
      engine,
      compose,
      script: (name, ...args) => enter(path.join(root, 'current/ops', name), {}, ...args),
      shell: (command) => run(...network.enter('bash', '-c', command), root, environment),
      deploy: (bundle) => enter(path.join(bundle, 'ops/deploy.sh')),
      replaceMachine: async (prepare) => {
        await compose('down', '--volumes')
        await rm(root, { recursive: true })
        const environmentFile = path.join(published.folder, 'other.env')
        await makeEnvironment(published.bundle, environmentFile)
        await setUp(environmentFile, prepare)
      },
      deployed,
      release,
      root,
      address: network.address,
      dispose,
    }
  } catch (error) {
    await dispose()
    throw error
  }
}

export async function releaseOf({ bundle }: Published): Promise<string> {
  return (JSON.parse(await readFile(path.join(bundle, 'manifest.json'), 'utf8')) as { release: string }).release
}

/** Engine 20.10 cannot build COPY --chmod: what deploy.sh would build is there already. */
export async function loadImages(engine: Engine, published: Published, release: string): Promise<void> {
  await buildImages(published.bundle, published.version)
  for (const name of ['hub', 'web']) {
    const archive = path.join(published.folder, `${name}.tar`)
    await saveImage(`mcp-hub-${name}:${published.version}`, archive)
    await engine.docker('load', '--input', archive)
    await engine.docker('tag', `mcp-hub-${name}:${published.version}`, `mcp-hub-${name}:${release}`)
    await rm(archive)
  }
}

/** cron.d is a folder of its own; nothing of it runs. */
function scriptEnvironment({ environment }: Engine, root: string): Record<string, string> {
  return { ...environment, NODE: process.execPath, HUB_USER: USER.name, CRON_DIR: path.join(root, 'cron.d') }
}

/** How many requests got which answer but the right one, at 50 in a second, and the slowest of them in seconds. */
export async function askDuring(
  place: Place,
  work: () => Promise<unknown>,
): Promise<{ asked: number; lost: string[]; slowest: number }> {
  const [lost, answers]: [string[], Promise<void>[]] = [[], []]
  let [ended, slowest] = [false, 0]
  const ask = async (): Promise<void> => {
    const begun = performance.now()
    const answer = await place
      .fetch(`${place.origin}/health`, { signal: AbortSignal.timeout(30_000) })
      .then(async (answer) => ({ status: answer.status, text: await answer.text() }))
      .catch((error: unknown) => ({ status: String(error) }))
    if (answer.status !== 200) lost.push(String(answer.status))
    slowest = Math.max(slowest, performance.now() - begun)
  }
  const done = work().finally(() => (ended = true))
  while (!ended) {
    answers.push(ask())
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await Promise.all([done, ...answers])
  return { asked: answers.length, lost, slowest: slowest / 1_000 }
}

/** Hubs of the release before have ended by themselves, and well. */
export async function oldEnded({ engine }: Installed): Promise<void> {
  const left = ['ps', '--all', '--filter', 'name=mcp-hub-before', '--format', '{{.Names}} {{.Status}}']
  await expect
    .poll(async () => (await engine.docker(...left)).split('\n').filter((line) => !/^$| Exited \(0\)/.test(line)), {
      timeout: 60_000,
    })
    .toEqual([])
}
