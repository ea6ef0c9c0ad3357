import { HubError } from '../../hub-error.ts'
import { say } from '../../say.ts'
import type { Found } from './inspect.ts'
import { hashOf, type Packed } from './packed.ts'
import type { Places } from './places.ts'
import type { Run } from './run.ts'
import { failed, quote, type Shell } from './shell.ts'

const CHUNK = 64 * 1024
const TELL_EVERY_MS = 200

/** How much of the archive is on the target, and right; what is wrong there counts as nothing. */
export function uploadedBytes(part: Found['part'], { content }: Packed): number {
  if (part === null || part.bytes > content.length) return 0
  return hashOf(content.subarray(0, part.bytes)) === part.sha256 ? part.bytes : 0
}

/**
 * Uploads the archive to `incoming/`, from where it ended last time. Each byte has its place in the file: what an older
 * connection still writes is the same, and does no harm.
 */
export async function upload(shell: Shell, run: Run, places: Places, packed: Packed, there: number): Promise<void> {
  const { content } = packed
  const part = quote(places.part)
  let from = there
  let lost = false
  await shell.persist(async (alive) => {
    if (lost) {
      const reached = uploadedBytes(await partOf(shell, places), packed)
      if (reached > from) alive()
      from = reached
    }
    lost = true
    run.progress(from, content.length)
    if (from > 0) run.step('upload', 'start', say`Going on after ${megabytes(from)} of ${megabytes(content.length)}`)
    const ended = await shell.once(
      `dd of=${part} bs=${CHUNK} iflag=fullblock oflag=seek_bytes seek=${from} ${from === 0 ? '' : 'conv=notrunc '}status=none &&
sha256sum <${part}`,
      { stdin: chunks(content, from, run) },
    )
    if (ended.code !== 0) throw failed(say`The archive could not be written`, ended)
    if (!ended.stdout.toString().startsWith(packed.sha256))
      throw new HubError('HUB_DEPLOY_FAILED', say`What arrived on the target is not what was sent`, {
        cure: say`Push again; if it stays, check the disk of the target.`,
      })
    run.progress(content.length, content.length)
  })
}

async function partOf(shell: Shell, { part }: Places): Promise<Found['part']> {
  const file = quote(part)
  const { stdout } = await shell.must(
    say`The upload of before could not be read`,
    `[ ! -f ${file} ] || { stat -c %s ${file}; sha256sum <${file}; }`,
  )
  const [bytes, sha256 = ''] = stdout.toString().split(/\s+/)
  return bytes === undefined || bytes === '' ? null : { bytes: Number(bytes), sha256 }
}

function* chunks(content: Buffer, from: number, run: Run): Generator<Buffer> {
  let told = Date.now()
  for (let at = from; at < content.length; at += CHUNK) {
    yield content.subarray(at, at + CHUNK)
    if (Date.now() - told < TELL_EVERY_MS) continue
    told = Date.now()
    run.progress(Math.min(at + CHUNK, content.length), content.length)
  }
}

export const megabytes = (bytes: number): string => `${(bytes / 1_000_000).toFixed(1)} MB`
