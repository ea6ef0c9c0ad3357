import { StringDecoder } from 'node:string_decoder'
import { z } from 'zod'
import { stepStates } from '../../contract/push.ts'
import { HubError } from '../../hub-error.ts'
import { say, type Words } from '../../say.ts'
import type { Places } from './places.ts'
import type { Run } from './run.ts'
import { wordsOfScript } from './script-words.ts'
import { quote, type Shell } from './shell.ts'

const lineSchema = z.object({ step: z.string(), state: z.enum(stepStates), message: z.string() })
/** A script that does not end in this time is left to itself. */
const LONGEST_MS = 30 * 60_000

export interface JobEnded {
  code: number
  /** What its step that failed said; null when none did. */
  failure: Words | null
}

/**
 * Runs a script of a release so that it goes on when the connection is lost, and follows what it tells: its steps become steps of
 * the run, everything else lines of its log. A run that is cancelled asks the script to end, and waits until it has put back what
 * it changed.
 */
export async function runJob(
  shell: Shell,
  run: Run,
  places: Places,
  folder: string,
  command: readonly string[],
): Promise<JobEnded> {
  const job = quote(places.job)
  const stop = AbortSignal.timeout(LONGEST_MS)
  run.throwIfCancelled()
  await shell.must(say`The script could not be started`, start(places, folder, command), { signal: stop })
  const cancel = (): void => {
    run.step(
      'cancel',
      'start',
      say`Cancelling: the script on the target is asked to end, and puts back what it changed`,
    )
    void shell.run(`kill -TERM "$(cat ${job}/pid)"`, { signal: stop }).catch(() => undefined)
  }
  run.signal.addEventListener('abort', cancel, { once: true })
  if (run.signal.aborted) cancel()
  try {
    return await follow(shell, run, job, stop)
  } finally {
    run.signal.removeEventListener('abort', cancel)
  }
}

/** In a session of its own, with its output in a file: nothing of it hangs on this connection. Whoever makes its folder starts it. */
const start = ({ incoming, job }: Places, folder: string, command: readonly string[]): string => `
mkdir -p ${quote(incoming)} && cd ${quote(folder)} || exit 1
if mkdir ${quote(job)} 2>/dev/null; then
  MCP_HUB_STEPS=json setsid sh -c 'bash "$@" >"$0/log" 2>&1 </dev/null & echo $! >"$0/pid"
wait $!; echo $? >"$0/code.new"; mv "$0/code.new" "$0/code"' ${quote(job)} ${command.map(quote).join(' ')} </dev/null >/dev/null 2>&1 &
fi
for i in $(seq 100); do [ -s ${quote(job)}/pid ] && exit 0; sleep 0.05; done
exit 1`

async function follow(shell: Shell, run: Run, job: string, signal: AbortSignal): Promise<JobEnded> {
  const decoder = new StringDecoder('utf8')
  let read = 0
  let rest = ''
  let failure: Words | null = null
  function take(text: string): void {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const told = stepOf(line)
      if (told === null) run.log(line)
      else run.step(told.step, told.state, wordsOfScript(told.message))
      if (told?.state === 'failed') failure ??= wordsOfScript(told.message)
    }
  }
  const { stderr } = await shell.persist(
    (alive) =>
      shell.once(
        `tail -c +${read + 1} -s 0.1 -f --pid="$(cat ${job}/pid)" ${job}/log
for i in $(seq 100); do [ -s ${job}/code ] && break; sleep 0.05; done
cat ${job}/code >&2`,
        {
          signal,
          onStdout: (chunk) => {
            alive()
            read += chunk.length
            take(decoder.write(chunk))
          },
        },
      ),
    signal,
  )
  if (rest !== '') take('\n')
  const code = /^\d+/.exec(stderr)?.[0]
  if (code === undefined)
    throw new HubError(
      'HUB_DEPLOY_FAILED',
      say`The script on the target ended without saying how: it may have been killed`,
      {
        cure: say`See whether the target was started anew, and push again.`,
      },
    )
  return { code: Number(code), failure }
}

function stepOf(line: string): z.infer<typeof lineSchema> | null {
  if (!line.startsWith('{')) return null
  try {
    return lineSchema.safeParse(JSON.parse(line)).data ?? null
  } catch {
    return null
  }
}
