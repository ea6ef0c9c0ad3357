import { readFile, stat } from 'node:fs/promises'
import type { Fault } from '../contract/index.ts'
import { say, told, type Said } from '../say.ts'

/** Ten thousand servers fit in it. */
const MAX_BYTES = 10 * 1_048_576

export type ReadText = { ok: true; text: string | null } | { ok: false; fault: Fault }

const cures: Readonly<Record<string, [message: Said, cure: Said]>> = {
  EACCES: [say`It may not be read by this user`, say`Let the hub’s user read the file and enter its folder.`],
  EPERM: [say`It may not be read by this user`, say`Let the hub’s user read the file and enter its folder.`],
  EISDIR: [say`It is a folder`, say`Put a file of this name in its place.`],
  ELOOP: [say`It is a link that leads back to itself`, say`Put the file itself, or a link to it, in its place.`],
}

/** The text of a configuration file; null when there is none. Whatever else keeps it from being text is a fault. */
export async function readConfigText(file: string): Promise<ReadText> {
  const fault = (
    message: Said | string,
    cure: Said,
    line: number | null = null,
    column: number | null = null,
  ): ReadText => ({
    ok: false,
    fault: told({ file, path: '', line, column, message, cure }),
  })
  try {
    const { size } = await stat(file)
    if (size > MAX_BYTES)
      return fault(say`It has ${size} bytes; at most ${MAX_BYTES} are read`, say`Remove what does not belong there.`)
    const bytes = await readFile(file)
    const odd = oddByte(bytes)
    if (odd !== null) return fault(odd.message, say`Save the file as UTF-8 text.`, odd.line, odd.column)
    return { ok: true, text: bytes.toString('utf8').replace(/^\uFEFF/, '') }
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException
    if (code === 'ENOENT') return { ok: true, text: null }
    const [what, cure] = cures[code] ?? [
      say`It cannot be read: ${message}`,
      say`Check the file, its folder and the disk.`,
    ]
    return fault(what, cure)
  }
}

/** Where a file stops being text: a NUL, as in UTF-16 or after a crash, or bytes that are no UTF-8. */
function oddByte(bytes: Buffer): { message: Said; line: number; column: number } | null {
  const utf16 = (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff)
  if (utf16) return { message: say`It is UTF-16, not UTF-8`, line: 1, column: 1 }
  const nul = bytes.indexOf(0)
  if (nul !== -1) return { message: say`It holds the character NUL`, ...placeOf(bytes, nul) }
  const text = bytes.toString('utf8')
  const replaced = text.indexOf('\uFFFD')
  // The replacement character may stand in the file itself; only where the bytes differ is it a fault.
  if (replaced === -1 || Buffer.from(text).equals(bytes)) return null
  return {
    message: say`It holds bytes that are no UTF-8`,
    ...placeOf(bytes, Buffer.byteLength(text.slice(0, replaced))),
  }
}

function placeOf(bytes: Buffer, offset: number): { line: number; column: number } {
  const before = bytes.subarray(0, offset).toString('utf8').split('\n')
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 }
}
