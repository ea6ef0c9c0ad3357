import { jsonLanguage } from '@codemirror/lang-json'
import { StreamLanguage, type StreamParser } from '@codemirror/language'
import { dockerFile } from '@codemirror/legacy-modes/mode/dockerfile'
import { javascript } from '@codemirror/legacy-modes/mode/javascript'
import { nginx } from '@codemirror/legacy-modes/mode/nginx'
import { properties } from '@codemirror/legacy-modes/mode/properties'
import { shell } from '@codemirror/legacy-modes/mode/shell'
import { yaml } from '@codemirror/legacy-modes/mode/yaml'
import type { Parser } from '@lezer/common'
import { highlightCode, tagHighlighter, tags } from '@lezer/highlight'

/** A piece of a line; the class is that of `.code-…` in styles.css. */
export interface Piece {
  readonly text: string
  readonly look: string
}

const stream = <S>(mode: StreamParser<S>): Parser => StreamLanguage.define(mode).parser
const shellParser = stream(shell)
const settings = stream(properties)
const byEnding: readonly [RegExp, Parser][] = [
  [/\.json$/, jsonLanguage.parser],
  [/\.ya?ml$/, stream(yaml)],
  [/\.c?js$/, stream(javascript)],
  [/\.sh$/, shellParser],
  [/(?:^|\/)nginx[^/]*\/?.*\.conf$|nginx\.conf$/, stream(nginx)],
  [/(?:^|\/)Dockerfile/, stream(dockerFile)],
  [/(?:^|\/)\.env|\.env$|\.(?:service|socket|timer|conf|ini)$/, settings],
]

const looks = tagHighlighter([
  { tag: tags.comment, class: 'code-comment' },
  { tag: [tags.keyword, tags.propertyName, tags.definition(tags.variableName), tags.typeName], class: 'code-name' },
  { tag: [tags.string, tags.special(tags.string)], class: 'code-string' },
  { tag: [tags.number, tags.bool, tags.null, tags.atom], class: 'code-value' },
])

/** The lines of a file in colour, by its name; in one colour when nothing is known of its kind. */
export function highlightLines(path: string, text: string): Piece[][] {
  const parser = byEnding.find(([pattern]) => pattern.test(path))?.[1]
  if (parser === undefined) return text.split('\n').map((line) => [{ text: line, look: '' }])
  const lines: Piece[][] = [[]]
  highlightCode(
    text,
    parser.parse(text),
    looks,
    (piece, look) => lines.at(-1)?.push({ text: piece, look }),
    () => lines.push([]),
  )
  return lines
}
