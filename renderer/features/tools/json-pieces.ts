import type { Piece } from '../../lib/highlight.ts'

/** A key, a text, or any other value; what stands between them is punctuation. */
const TOKEN = /("(?:[^"\\\n]|\\.)*")(\s*:)?|-?\d[\d.eE+-]*|\b(?:true|false|null)\b/g

/** The lines of a JSON text in the colours of the editor, without its parser. */
export function jsonPieces(text: string): Piece[][] {
  return text.split('\n').map((line) => {
    const pieces: Piece[] = []
    let at = 0
    for (const match of line.matchAll(TOKEN)) {
      const [token, string, colon] = match
      const end = match.index + (string === undefined ? token.length : string.length)
      if (match.index > at) pieces.push({ text: line.slice(at, match.index), look: '' })
      const look = string === undefined ? 'code-value' : colon === undefined ? 'code-string' : 'code-name'
      pieces.push({ text: line.slice(match.index, end), look })
      at = end
    }
    if (at < line.length) pieces.push({ text: line.slice(at), look: '' })
    return pieces
  })
}
