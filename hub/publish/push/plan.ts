import type { Plan, Requirement, RunProblem } from '../../contract/push.ts'
import type { Target } from '../../contract/publish.ts'
import { say, told, wordsFrom, type Words } from '../../say.ts'
import type { Bundle } from '../bundle.ts'
import { nginxNeeded, OLDEST_NGINX } from '../context.ts'
import { changedSince, compareFiles } from './compare-files.ts'
import { compareMeanings, type Setup } from './compare-meanings.ts'
import { inspect, readInstalled, type Found, type Installed } from './inspect.ts'
import { publishedFiles, type Packed } from './packed.ts'
import type { Places } from './places.ts'
import { portableFrom } from './published-config.ts'
import type { Run } from './run.ts'
import type { Shell } from './shell.ts'
import { megabytes, uploadedBytes } from './upload.ts'

/** Backups and logs need room, too. */
const SPARE_BYTES = 32 * 1_048_576

type Programs = Partial<Record<Requirement['name'], { needed: string; cure: Words }>>
const node = { needed: '24', cure: say`Install Node 24 or later as README.md of the bundle says.` }
const nginx = (target: Target): NonNullable<Programs['nginx']> => {
  const needed = nginxNeeded(target)
  const cure =
    needed === OLDEST_NGINX
      ? say`Run there: ${'apt-get install --yes nginx'}`
      : say`Install nginx ${needed} or later there, or publish for an older one: it is set in the target (${'--nginx'}).`
  return { needed, cure }
}
const requirements: Readonly<Record<string, (target: Target) => Programs>> = {
  pm2: (target) => ({
    node,
    nginx: nginx(target),
    pm2: { needed: '5', cure: say`Run there: ${'npm install --global pm2@7.0.4'}` },
  }),
  systemd: (target) => ({
    node,
    nginx: nginx(target),
    systemd: { needed: '250', cure: say`Use a system with systemd 250 or later, or the mode pm2.` },
  }),
  // The scripts beside the containers are run by Node, too.
  docker: () => ({ node, docker: { needed: '23', cure: say`Install Docker Engine 23 or later with Compose.` } }),
}

export interface Planned {
  plan: Plan
  /** Changes of `config/` there since the last publish. */
  configChanges: ReturnType<typeof changedSince>
}

export async function makePlan(
  shell: Shell,
  run: Run,
  places: Places,
  packed: Packed,
  target: Target,
): Promise<Planned> {
  run.step('inspect', 'start', say`Looking at what is there`)
  const found = await inspect(shell, places)
  const system = found.system ?? say`An unknown system`
  run.step(
    'inspect',
    'ok',
    found.inUse === null ? say`${system}; nothing is installed` : say`${system}; ${found.inUse} is in use`,
  )
  run.step('compare', 'start', say`Comparing it with what would be pushed`)
  const installed = await readInstalled(shell, places, found.inUse)
  const uploaded = uploadedBytes(found.part, packed)
  const { bundle, content, unpackedBytes } = packed
  const needed = requirementsOf(target, found)
  const neededBytes = content.length - uploaded + unpackedBytes + SPARE_BYTES
  const configChanges = changedSince(installed, bundle)
  const comparison: Plan['comparison'] = {
    there:
      installed.manifest === null ? null : { release: installed.manifest.release, version: installed.manifest.version },
    here: { release: bundle.release, version: bundle.context.version },
    files: compareFiles(installed, bundle),
    meanings: compareMeanings(setupThere(installed), setupHere(bundle)),
  }
  const plan: Plan = run.clean({
    release: bundle.release,
    inUse: found.inUse,
    previous: found.previous,
    releases: found.releases,
    system: found.system,
    freeBytes: found.freeBytes,
    neededBytes,
    archiveBytes: content.length,
    uploadedBytes: uploaded,
    requirements: needed,
    configChanged: configChanges.map(({ path }) => path),
    comparison,
    obstacles: [...needed.flatMap(obstacleOf), ...diskObstacle(found, neededBytes), ...modeObstacle(target)],
  })
  const { files, meanings } = comparison
  run.step('compare', 'ok', say`Files that differ: ${files.length}; differences by meaning: ${meanings.length}`)
  return { plan, configChanges }
}

/** Each program that is looked for, with what the target's way of running needs of it; `needed` is null for the others. */
export function requirementsOf(target: Target, { versions }: Pick<Found, 'versions'>): Requirement[] {
  const wanted = requirements[target.mode]?.(target) ?? {}
  return (Object.keys(versions) as Requirement['name'][]).map((name) => {
    const { needed = null, cure = null } = wanted[name] ?? {}
    const found = versions[name]
    const ok = needed === null || (found !== null && isAtLeast(found, needed))
    return told({ name, found, needed, ok, cure: ok ? null : cure })
  })
}

function isAtLeast(found: string, needed: string): boolean {
  const [a, b] = [found, needed].map((version) => version.split('.').map(Number)) as [number[], number[]]
  const at = b.findIndex((part, index) => part !== (a[index] ?? 0))
  return at === -1 || (a[at] ?? 0) > (b[at] ?? 0)
}

function obstacleOf(requirement: Requirement): RunProblem[] {
  const { name, found, needed, ok } = requirement
  if (ok || needed === null) return []
  const detail =
    found === null
      ? say`The target has no ${name}, and ${needed} or later is needed`
      : say`The target has ${name} ${found}, and ${needed} or later is needed`
  return [told({ code: 'HUB_TARGET_UNFIT', detail, cure: wordsFrom(requirement, 'cure') })]
}

function diskObstacle({ freeBytes }: Found, neededBytes: number): RunProblem[] {
  if (freeBytes >= neededBytes) return []
  const detail = say`The target has ${megabytes(freeBytes)} of free disk, and ${megabytes(neededBytes)} are needed`
  const cure = say`Make room there, for instance by removing old releases and backups.`
  return [told({ code: 'HUB_TARGET_UNFIT', detail, cure })]
}

function modeObstacle({ mode }: Target): RunProblem[] {
  if (Object.hasOwn(requirements, mode)) return []
  const detail = say`What runs on ${mode} is not pushed over SSH`
  return [told({ code: 'HUB_TARGET_UNFIT', detail, cure: say`Take the bundle and follow its README.md.` })]
}

const setupThere = ({ manifest, config }: Installed): Setup => ({
  config: portableFrom(config),
  target: manifest?.target ?? null,
  version: manifest?.version ?? null,
})

function setupHere(bundle: Bundle): Setup {
  const { target, version } = bundle.context
  return { config: portableFrom(publishedFiles(bundle)), target, version }
}
