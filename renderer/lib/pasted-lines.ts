/**
 * What a field of one line holds after a text of several lines is pasted into it, which it would join to one line without a word:
 * a private key is none any more then. Null for other texts, which the field takes itself. The paste is taken from it.
 */
export function pastedLines(event: ClipboardEvent): string | null {
  const text = (event.clipboardData?.getData('text') ?? '').replaceAll('\r\n', '\n')
  // A line that was copied with its end is one line.
  if (!text.trim().includes('\n')) return null
  event.preventDefault()
  const { value, selectionStart, selectionEnd } = event.target as HTMLInputElement
  return value.slice(0, selectionStart ?? value.length) + text + value.slice(selectionEnd ?? value.length)
}
