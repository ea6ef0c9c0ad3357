import { HubError } from '../../hub-error.ts'
import { say } from '../../say.ts'
import type { Places } from './places.ts'
import type { Run } from './run.ts'
import { quote, type Shell } from './shell.ts'

const BEAT_MS = 15_000
/** Whoever gave no sign of life for so long is gone. */
const STALE_SECONDS = 60

/**
 * One push at a time on a target: a folder there that only one can make, touched while its owner lives. The script that brings a
 * release into use has a lock of its own besides.
 */
export async function takeLock(
  shell: Shell,
  run: Run,
  places: Places,
): Promise<{ inUse: string | null; release: () => Promise<void> }> {
  const lock = quote(places.lock)
  const ended = await shell.run(`
mkdir -p ${quote(places.releases)} && mkdir -p -m 0700 ${quote(places.incoming)} || exit 1
find ${quote(places.incoming)} -maxdepth 1 -name '.job-*' -mtime +1 -exec rm -rf {} +
if ! mkdir ${lock} 2>/dev/null; then
  [ -d ${lock} ] || { mkdir ${lock}; exit 1; }
  if [ "$(head -n 1 ${lock}/owner 2>/dev/null)" != ${quote(run.id)} ]; then
    age=$(($(date +%s) - $(stat -c %Y ${lock} || echo 0)))
    if [ "$age" -lt ${STALE_SECONDS} ]; then tail -n +2 ${lock}/owner 2>/dev/null; exit 11; fi
    mv ${lock} ${lock}.$$ && rm -rf ${lock}.$$ && mkdir ${lock} || exit 11
  fi
fi
printf '%s\\n%s\\n' ${quote(run.id)} ${quote(`${run.by}, since ${new Date(run.startedAt).toISOString()}`)} >${lock}/owner || exit 1
[ ! -e ${quote(places.current)} ] || basename "$(readlink -f ${quote(places.current)})"`)
  if (ended.code === 11)
    throw new HubError(
      'HUB_TARGET_BUSY',
      say`Another push to this target is under way (${ended.stdout.toString().trim() || 'by somebody'})`,
      { cure: say`Wait until it has ended. One that died is taken over after a minute.` },
    )
  if (ended.code !== 0)
    throw new HubError(
      'HUB_TARGET_UNFIT',
      say`${places.root} on the target cannot be written: ${ended.stderr.trim()}`,
      {
        cure: say`Make room or another installDir, or sign in as a user who may write there.`,
      },
    )
  const beat = setInterval(() => {
    void shell.once(`touch ${lock}`).catch(() => undefined)
  }, BEAT_MS)
  return {
    inUse: ended.stdout.toString().trim() || null,
    release: async () => {
      clearInterval(beat)
      // Also of a run that was cancelled. If it cannot be reached, the lock is taken over soon.
      await shell
        .run(
          `[ "$(head -n 1 ${lock}/owner 2>/dev/null)" != ${quote(run.id)} ] || rm -rf ${lock} ${quote(places.job)}`,
          {
            signal: AbortSignal.timeout(10_000),
          },
        )
        .catch(() => undefined)
    },
  }
}
