import type { Verification } from '../../contract/push.ts'
import type { Target } from '../../contract/publish.ts'
import { HubError } from '../../hub-error.ts'
import { say, saying, told, wordsFrom, type Said, type Words } from '../../say.ts'
import { verifyCertificate, type Look } from './certificate.ts'
import { changedSince } from './compare-files.ts'
import { inspect, readInstalled } from './inspect.ts'
import { runJob } from './job.ts'
import { placesOf } from './places.ts'
import { requirementsOf } from './plan.ts'
import type { Progress } from './push.ts'
import type { Run } from './run.ts'
import { quote, type Shell } from './shell.ts'

const passed = (message: Said): Look => ({ outcome: 'passed', message, cure: null })

/** Whether what is in use works, is what was published, and goes on working. Changes nothing. */
export async function verify(
  shell: Shell,
  run: Run,
  target: Target,
  version: string,
  progress: Progress,
): Promise<Verification[]> {
  const places = placesOf(target, run.id)
  run.step('inspect', 'start', say`Looking at what is there`)
  const found = await inspect(shell, places)
  const { inUse } = found
  progress.inUse = inUse
  if (inUse === null)
    throw new HubError('HUB_TARGET_UNFIT', say`Nothing is in use on the target`, { cure: say`Push a release first.` })
  const installed = await readInstalled(shell, places, inUse)
  run.step('inspect', 'ok', say`${inUse} is in use`)
  const verifications: Verification[] = []
  const add = (name: Verification['name'], look: Look): void =>
    void verifications.push(run.clean(told({ name, ...look })))

  const { manifest } = installed
  add(
    'release',
    manifest?.release === inUse
      ? passed(say`${inUse} is in use`)
      : {
          outcome: 'failed',
          message: say`The manifest of ${inUse} is missing or names another release`,
          cure: say`Push again.`,
        },
  )
  add('version', versionOf(manifest?.version ?? null, version))
  const missing = requirementsOf(target, found).filter(({ ok }) => !ok)
  add(
    'requirements',
    missing.length === 0
      ? passed(say`Everything that it needs is there`)
      : {
          outcome: 'failed',
          message: several(
            lacks,
            missing.map(({ name, found: has, needed }) =>
              has === null ? `${name} ${needed ?? ''}` : say`${name} ${needed ?? ''} in the place of ${has}`,
            ),
          ),
          cure: several(
            cures,
            missing.flatMap((one) => wordsFrom(one, 'cure') ?? []),
          ),
        },
  )
  const changed = changedSince(installed, null)
  add(
    'configuration',
    changed.length === 0
      ? passed(say`As it was published`)
      : {
          outcome: 'warning',
          message: say`Changed there since it was published: ${changed.map(({ path }) => path).join(', ')}`,
          cure: say`Pull it, or push and choose what is kept.`,
        },
  )

  run.step('smoke', 'start', say`Trying what people and clients do`)
  const { code, failure } = await runJob(shell, run, places, places.current, ['ops/smoke.sh'])
  await shell.run(`rm -rf ${quote(places.job)}`)
  run.step(
    'smoke',
    code === 0 ? 'ok' : 'failed',
    code === 0 ? say`It works` : (failure ?? say`${'ops/smoke.sh'} ended with ${code}`),
  )
  add(
    'smoke',
    code === 0
      ? passed(say`What people and clients do works`)
      : {
          outcome: 'failed',
          message: failure ?? say`${'ops/smoke.sh'} ended with ${code}`,
          cure: say`The log says what failed.`,
        },
  )

  run.step('certificate', 'start', say`Looking at the certificate for ${target.domain}`)
  const certificate = await verifyCertificate(shell, target)
  run.step('certificate', certificate.outcome === 'failed' ? 'failed' : 'ok', certificate.message)
  add('certificate', certificate)
  return verifications
}

/** By their number: no way of running needs more than three programs. */
const lacks = [
  saying('It needs what is not there: {0}'),
  saying('It needs what is not there: {0}; {1}'),
  saying('It needs what is not there: {0}; {1}; {2}'),
]
const cures = [saying('{0}'), saying('{0} {1}'), saying('{0} {1} {2}')]
const several = (sentences: readonly ReturnType<typeof saying>[], words: readonly Words[]): Words =>
  sentences[words.length - 1]?.(...words) ?? words.join('; ')

function versionOf(there: string | null, here: string): Look {
  if (there === here) return passed(say`MCP Hub ${here}, as here`)
  return {
    outcome: 'warning',
    message:
      there === null
        ? say`MCP Hub of an unknown version is there, ${here} here`
        : say`MCP Hub ${there} is there, ${here} here`,
    cure: say`Push to bring it up to date.`,
  }
}
