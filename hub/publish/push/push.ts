import type { ConfigChoice, Plan } from '../../contract/push.ts'
import type { Target } from '../../contract/publish.ts'
import { HubError } from '../../hub-error.ts'
import { say, wordsFrom } from '../../say.ts'
import type { Bundle } from '../bundle.ts'
import { checkBundle } from '../checks/index.ts'
import { runJob } from './job.ts'
import { takeLock } from './lock.ts'
import { pack, type Packed } from './packed.ts'
import { placesOf, type Places } from './places.ts'
import { makePlan, type Planned } from './plan.ts'
import { checkEnded, isWhole, releaseInUse, unpackRelease } from './release.ts'
import type { Run } from './run.ts'
import type { Shell } from './shell.ts'
import { megabytes, upload } from './upload.ts'

/** What a run that changes a target tells of it as it goes, for whoever keeps it. */
export interface Progress {
  /** What was in use when it was last looked at; undefined while that is not known. */
  inUse?: string | null
  plan?: Plan
  bundle?: Bundle
  /** The release that was begun to be brought into use, and what was in use before. */
  begun?: { release: string; before: string | null }
}

/** `checked` names releases that were found to be right: by its name, a release is the same each time. */
export async function preparePush(run: Run, bundle: Bundle, checked: Set<string>): Promise<Packed> {
  run.step('check', 'start', say`Checking the bundle`)
  const failed = checked.has(bundle.release)
    ? []
    : (await checkBundle(bundle)).filter(({ outcome }) => outcome === 'failed')
  const [first] = failed
  if (first !== undefined)
    throw new HubError('HUB_INVALID_CONFIG', say`${first.artifact} (${first.tool}): ${wordsFrom(first, 'message')}`, {
      cure: say`Correct what the check found; the preview shows all of them.`,
    })
  checked.add(bundle.release)
  const packed = await pack(bundle)
  run.step(
    'check',
    'ok',
    say`${bundle.files.length} files of release ${bundle.release}, ${megabytes(packed.content.length)} packed`,
  )
  return packed
}

export async function planPush(
  shell: Shell,
  run: Run,
  packed: Packed,
  target: Target,
  progress: Progress,
): Promise<{ places: Places } & Planned> {
  const places = placesOf(target, run.id, { release: packed.bundle.release, sha256: packed.sha256 })
  const planned = await makePlan(shell, run, places, packed, target)
  progress.plan = planned.plan
  progress.inUse = planned.plan.inUse
  progress.bundle = packed.bundle
  return { places, ...planned }
}

/** From what is there to the bundle in use, healthy: or back to what was there. */
export async function push(
  shell: Shell,
  run: Run,
  packed: Packed,
  target: Target,
  asked: { config?: ConfigChoice | undefined },
  progress: Progress,
): Promise<string> {
  const { places, plan, configChanges } = await planPush(shell, run, packed, target, progress)
  const [obstacle] = plan.obstacles
  if (obstacle !== undefined) {
    const cure = wordsFrom(obstacle, 'cure')
    throw new HubError(obstacle.code, wordsFrom(obstacle, 'detail'), cure === null ? {} : { cure })
  }
  const { release } = packed.bundle
  run.step('confirm', 'start', say`Waiting for a yes to ${release}`)
  const config =
    asked.config ??
    (configChanges.length === 0
      ? undefined
      : await run.ask.choose({ kind: 'config-changed', files: run.clean(configChanges) }))
  await run.ask.confirm({ kind: 'confirm-push', plan })
  run.step('confirm', 'ok', say`Confirmed`)

  await locked(shell, run, places, plan.inUse, async () => {
    progress.begun = { release, before: plan.inUse }
    await bring(shell, run, places, packed, plan)
    const options = config === undefined ? [] : ['--config', config]
    checkEnded(
      'ops/deploy.sh',
      await runJob(shell, run, places, `${places.releases}/${release}`, ['ops/deploy.sh', ...options]),
    )
    await expectInUse(shell, places, release, progress)
  })
  return `Release ${release} is in use and healthy.`
}

/** Gets the release onto the target, where it is not yet. */
async function bring(shell: Shell, run: Run, places: Places, packed: Packed, plan: Plan): Promise<void> {
  const { release } = packed.bundle
  if (plan.releases.includes(release) && (await isWhole(shell, places, release))) {
    run.step('upload', 'skipped', say`Release ${release} is there already`)
    return
  }
  run.step('upload', 'start', say`Uploading ${megabytes(packed.content.length)}`)
  await upload(shell, run, places, packed, plan.uploadedBytes)
  run.step('upload', 'ok', say`${megabytes(packed.content.length)} are there`)
  run.step('unpack', 'start', say`Unpacking into releases/${release}`)
  await unpackRelease(shell, places, release)
  run.step('unpack', 'ok', say`Every file has the hash that the manifest names`)
}

/** Works while no other push does, on a target where still the same is in use as when a person looked at it. */
export async function locked(
  shell: Shell,
  run: Run,
  places: Places,
  inUse: string | null,
  work: () => Promise<void>,
): Promise<void> {
  run.step('lock', 'start', say`Making sure that nobody else pushes`)
  const lock = await takeLock(shell, run, places)
  try {
    const now = lock.inUse
    if (now !== inUse)
      throw new HubError(
        'HUB_TARGET_CHANGED',
        say`Meanwhile ${now ?? say`nothing`} is in use there, no longer ${inUse ?? say`nothing`}`,
        {
          cure: say`Look at the plan again.`,
        },
      )
    run.step('lock', 'ok', say`Nobody else does`)
    await work()
  } finally {
    await lock.release()
  }
}

export async function expectInUse(shell: Shell, places: Places, release: string, progress: Progress): Promise<void> {
  progress.inUse = await releaseInUse(shell, places)
  if (progress.inUse !== release)
    throw new HubError(
      'HUB_DEPLOY_FAILED',
      say`The script ended well, but ${progress.inUse ?? say`nothing`} is in use`,
      {
        cure: say`The log of this run says what it did.`,
      },
    )
}
