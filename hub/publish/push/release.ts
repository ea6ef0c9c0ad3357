import { HubError } from '../../hub-error.ts'
import { say } from '../../say.ts'
import type { JobEnded } from './job.ts'
import type { Places } from './places.ts'
import { Cancelled } from './run.ts'
import { quote, type Shell } from './shell.ts'

/** Unpacks the archive into `releases/<release>`, which is there as a whole or not at all; a whole one is left as it is. */
export async function unpackRelease(shell: Shell, places: Places, release: string): Promise<void> {
  const folder = quote(`${places.releases}/${release}`)
  const fresh = quote(`${places.releases}/.${release}.new`)
  await shell.must(
    say`The archive could not be unpacked`,
    `
whole() { (cd "$1" && sha256sum --check --quiet --strict SHA256SUMS) >/dev/null; }
rm -rf ${fresh}
if [ -d ${folder} ] && ! whole ${folder}; then mv -T ${folder} ${folder}.broken && rm -rf ${folder}.broken || exit 1; fi
if [ ! -d ${folder} ]; then
  mkdir ${fresh} && tar -xzf ${quote(places.part)} -C ${fresh} --strip-components=1 --no-same-owner || { rm -rf ${fresh}; exit 1; }
  whole ${fresh} && mv -T ${fresh} ${folder} || { rm -rf ${fresh}; exit 1; }
fi
rm -f ${quote(places.incoming)}/*.part`,
  )
}

/** Whether the release is there already, every byte of it. */
export async function isWhole(shell: Shell, places: Places, release: string): Promise<boolean> {
  const folder = quote(`${places.releases}/${release}`)
  return (await shell.run(`cd ${folder} && sha256sum --check --quiet --strict SHA256SUMS >/dev/null`)).code === 0
}

/** What is in use now; null when that is nothing. */
export async function releaseInUse(shell: Shell, places: Places, signal?: AbortSignal): Promise<string | null> {
  const { stdout } = await shell.must(
    say`What is in use could not be found out`,
    `[ ! -e ${quote(places.current)} ] || basename "$(readlink -f ${quote(places.current)})"`,
    signal === undefined ? {} : { signal },
  )
  return stdout.toString().trim() || null
}

/** A new release that did not become healthy, with what was in use before in its place again. */
export class RolledBack extends HubError {}

/** The exit codes of the scripts in `ops/`, as errors. */
export function checkEnded(script: string, { code, failure }: JobEnded): void {
  if (code === 0) return
  const said = failure ?? say`${script} ended with ${code}`
  const log = say`The log of this run says why.`
  switch (code) {
    case 69:
      throw new HubError('HUB_TARGET_UNFIT', said, {
        cure: say`Nothing was changed there. Do what it says, and push again.`,
      })
    case 73:
      throw new HubError('HUB_TARGET_CHANGED', said, {
        cure: say`Nothing was changed there. Pull that configuration, or push again and choose to keep or to replace it.`,
      })
    case 75:
      throw new RolledBack('HUB_DEPLOY_FAILED', said, {
        cure: say`What was in use before was put back. The log of this run says why. Correct that, and push again.`,
      })
    case 76:
      throw new HubError('HUB_DEPLOY_FAILED', said, {
        cure: say`What was in use before was put back, but is not healthy either. The log of this run says why.`,
      })
    case 78:
      throw new HubError('HUB_TARGET_UNFIT', said, {
        cure: say`The new release refuses the configuration, and nothing was changed there. Correct it, and push again.`,
      })
    case 130:
    case 143:
      throw new Cancelled('The script was ended')
    default:
      throw new HubError('HUB_DEPLOY_FAILED', said, { cure: log })
  }
}
