import { createTwoFilesPatch } from 'diff'

/** Texts beyond this are not compared line by line. */
const MAX_TEXT = 400_000

/** A unified diff without its head; null when it would be too large to be of use. */
export function textDiff(before: string, after: string): string | null {
  if (before.length > MAX_TEXT || after.length > MAX_TEXT) return null
  const patch = createTwoFilesPatch('', '', before, after, undefined, undefined, { context: 3, timeout: 500 })
  if (patch === undefined) return null
  const head = patch.indexOf('@@')
  return head === -1 ? '' : patch.slice(head)
}
