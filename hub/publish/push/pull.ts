import type { PullPlan } from '../../contract/push.ts'
import type { ConfigTexts } from '../../contract/versions.ts'
import type { Target } from '../../contract/publish.ts'
import { HubError } from '../../hub-error.ts'
import { say, type Words } from '../../say.ts'
import type { Bundle } from '../bundle.ts'
import { compareMeanings, type Setup } from './compare-meanings.ts'
import { inspect, readInstalled } from './inspect.ts'
import { publishedFiles } from './packed.ts'
import { placesOf } from './places.ts'
import type { Progress } from './push.ts'
import { portableFrom, publishedText } from './published-config.ts'
import { pulledTexts } from './pull-texts.ts'
import type { Run } from './run.ts'
import type { Shell } from './shell.ts'
import { textDiff } from './text-diff.ts'

/** The configuration here, which a pull changes. */
export interface LocalConfig {
  texts: () => ConfigTexts
  /** Saves it as any other change: checked, with a version, and refused where its programs may not be run. */
  save: (texts: ConfigTexts, reason: Words) => Promise<void>
}

const parts = [
  ['servers', 'servers.json'],
  ['system', 'system.json'],
  ['profiles', 'profiles.json'],
] as const

/** Takes back what was changed in the configuration of a server. */
export async function pull(
  shell: Shell,
  run: Run,
  target: Target,
  bundle: Bundle,
  local: LocalConfig,
  progress: Progress,
): Promise<PullPlan> {
  const places = placesOf(target, run.id)
  run.step('inspect', 'start', say`Reading the configuration there`)
  const { inUse } = await inspect(shell, places)
  progress.inUse = inUse
  if (inUse === null)
    throw new HubError('HUB_TARGET_UNFIT', say`Nothing is in use on the target`, { cure: say`Push a release first.` })
  const { config } = await readInstalled(shell, places, inUse)
  run.step('inspect', 'ok', say`${config.size} files of ${inUse}`)

  const before = local.texts()
  const after = pulledTexts(before, publishedFiles(bundle), config)
  const plan = run.clean(planOf(before, after))
  if (plan.meanings.length === 0) {
    run.step('save', 'skipped', say`Nothing differs from what is here`)
    return plan
  }
  run.step('confirm', 'start', say`Waiting for a yes to what changes here`)
  await run.ask.confirm({ kind: 'confirm-pull', plan })
  run.step('confirm', 'ok', say`Confirmed`)
  run.step('save', 'start', say`Saving it here`)
  await local.save(after, say`Pulled from ${target.domain}`)
  run.step('save', 'ok', say`Saved as a new version`)
  return plan
}

function planOf(before: ConfigTexts, after: ConfigTexts): PullPlan {
  return {
    files: parts.flatMap(([name, file]): PullPlan['files'] => {
      // What is shown is compared without the secrets that somebody may have left in the files.
      const [was, is] = [publishedText(file, before[name]), publishedText(file, after[name])]
      if (was === is) return []
      return [
        { path: `config/${file}`, kind: was === '' ? 'added' : 'changed', group: 'config', diff: textDiff(was, is) },
      ]
    }),
    meanings: compareMeanings(setupOf(before), setupOf(after)),
  }
}

const setupOf = (texts: ConfigTexts): Setup => ({
  config: portableFrom(new Map(parts.map(([name, file]) => [file, texts[name]]))),
  target: null,
  version: null,
})
