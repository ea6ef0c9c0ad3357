import type { Target } from '../../contract/publish.ts'
import { HubError } from '../../hub-error.ts'
import { say } from '../../say.ts'
import { inspect } from './inspect.ts'
import { runJob } from './job.ts'
import { placesOf } from './places.ts'
import { expectInUse, locked, type Progress } from './push.ts'
import { checkEnded } from './release.ts'
import type { Run } from './run.ts'
import type { Shell } from './shell.ts'

/** Back to a release that is still on the target; without a name to the one before. */
export async function rollback(
  shell: Shell,
  run: Run,
  target: Target,
  wanted: string | undefined,
  progress: Progress,
): Promise<string> {
  const places = placesOf(target, run.id)
  run.step('inspect', 'start', say`Looking at what is there`)
  const { inUse, previous, releases } = await inspect(shell, places)
  progress.inUse = inUse
  if (inUse === null)
    throw new HubError('HUB_TARGET_UNFIT', say`Nothing is in use on the target`, { cure: say`Push a release first.` })
  const release = wanted ?? previous
  if (release === null)
    throw new HubError('HUB_TARGET_UNFIT', say`There is no release before ${inUse} on the target`, {
      cure: say`Push the configuration that you want to go back to: it is among the versions of the configuration.`,
    })
  if (!releases.includes(release))
    throw new HubError(
      'HUB_TARGET_UNFIT',
      say`Release ${release} is no longer on the target, and cannot be made again: its program is not kept here`,
      {
        cure: say`Choose one of ${releases.join(', ')}, or push its configuration, which is in the history, with this program.`,
      },
    )
  if (release === inUse)
    throw new HubError('HUB_CONFLICT', say`Release ${release} is in use already`, {
      cure: say`There is nothing to go back to.`,
    })
  run.step('inspect', 'ok', say`${inUse} is in use`)

  run.step('confirm', 'start', say`Waiting for a yes to ${release}`)
  await run.ask.confirm({ kind: 'confirm-rollback', from: inUse, to: release })
  run.step('confirm', 'ok', say`Confirmed`)
  await locked(shell, run, places, inUse, async () => {
    progress.begun = { release, before: inUse }
    // The script of the release in use: the one gone back to may be older than what it has to know.
    checkEnded(
      'ops/rollback.sh',
      await runJob(shell, run, places, `${places.releases}/${inUse}`, ['ops/rollback.sh', release]),
    )
    await expectInUse(shell, places, release, progress)
  })
  return `Release ${release} is in use again.`
}
