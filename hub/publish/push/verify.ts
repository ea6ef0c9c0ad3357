import type { Verification } from '../../contract/push.ts'
import type { Target } from '../../contract/publish.ts'
import { HubError } from '../../hub-error.ts'
import { verifyCertificate } from './certificate.ts'
import { changedSince } from './compare-files.ts'
import { inspect, readInstalled } from './inspect.ts'
import { runJob } from './job.ts'
import { placesOf } from './places.ts'
import { requirementsOf } from './plan.ts'
import type { Progress } from './push.ts'
import type { Run } from './run.ts'
import { quote, type Shell } from './shell.ts'

type Told = Omit<Verification, 'name'>
const passed = (message: string): Told => ({ outcome: 'passed', message, cure: null })

/** Whether what is in use works, is what was published, and goes on working. Changes nothing. */
export async function verify(
  shell: Shell,
  run: Run,
  target: Target,
  version: string,
  progress: Progress,
): Promise<Verification[]> {
  const places = placesOf(target, run.id)
  run.step('inspect', 'start', 'Looking at what is there')
  const found = await inspect(shell, places)
  const { inUse } = found
  progress.inUse = inUse
  if (inUse === null)
    throw new HubError('HUB_TARGET_UNFIT', 'Nothing is in use on the target', { cure: 'Push a release first.' })
  const installed = await readInstalled(shell, places, inUse)
  run.step('inspect', 'ok', `${inUse} is in use`)
  const verifications: Verification[] = []
  const add = (name: Verification['name'], told: Told): void => void verifications.push(run.clean({ name, ...told }))

  const { manifest } = installed
  add(
    'release',
    manifest?.release === inUse
      ? passed(`${inUse} is in use`)
      : {
          outcome: 'failed',
          message: `The manifest of ${inUse} is missing or names another release`,
          cure: 'Push again.',
        },
  )
  add('version', versionOf(manifest?.version ?? null, version))
  const missing = requirementsOf(target, found).filter(({ ok }) => !ok)
  add(
    'requirements',
    missing.length === 0
      ? passed('Everything that it needs is there')
      : {
          outcome: 'failed',
          message: missing
            .map(({ name, found: has, needed }) => `${name} ${needed ?? ''} is needed, ${has ?? 'none'} is there`)
            .join('; '),
          cure: missing.flatMap(({ cure }) => cure ?? []).join(' '),
        },
  )
  const changed = changedSince(installed, null)
  add(
    'configuration',
    changed.length === 0
      ? passed('As it was published')
      : {
          outcome: 'warning',
          message: `Changed there since it was published: ${changed.map(({ path }) => path).join(', ')}`,
          cure: 'Pull it, or push and choose what is kept.',
        },
  )

  run.step('smoke', 'start', 'Trying what people and clients do')
  const { code, failure } = await runJob(shell, run, places, places.current, ['ops/smoke.sh'])
  await shell.run(`rm -rf ${quote(places.job)}`)
  run.step(
    'smoke',
    code === 0 ? 'ok' : 'failed',
    code === 0 ? 'It works' : (failure ?? `ops/smoke.sh ended with ${code}`),
  )
  add(
    'smoke',
    code === 0
      ? passed('What people and clients do works')
      : { outcome: 'failed', message: failure ?? `ops/smoke.sh ended with ${code}`, cure: 'The log says what failed.' },
  )

  run.step('certificate', 'start', `Looking at the certificate for ${target.domain}`)
  const certificate = await verifyCertificate(shell, target)
  run.step('certificate', certificate.outcome === 'failed' ? 'failed' : 'ok', certificate.message)
  add('certificate', certificate)
  return verifications
}

function versionOf(there: string | null, here: string): Told {
  if (there === here) return passed(`MCP Hub ${here}, as here`)
  return {
    outcome: 'warning',
    message: `MCP Hub ${there ?? 'of an unknown version'} is there, ${here} here`,
    cure: 'Push to bring it up to date.',
  }
}
