import { parseTree, printParseErrorCode, type Node, type ParseError } from 'jsonc-parser'

export interface SyntaxFault {
  offset: number
  message: string
  cure: string
  path: string[]
}

const words: Readonly<Record<string, [message: string, cure: string]>> = {
  CommaExpected: ['a comma is missing', 'Put a comma after the entry before this place.'],
  ColonExpected: ['a colon is missing', 'Put a colon between the name and its value.'],
  ValueExpected: ['a value is missing', 'Write a value, or remove the name or the comma before this place.'],
  PropertyNameExpected: ['a name in quotation marks is missing', 'Write the name in double quotation marks.'],
  CloseBraceExpected: ['a } is missing', 'Close the object with a }; the file may have been cut off.'],
  CloseBracketExpected: ['a ] is missing', 'Close the list with a ]; the file may have been cut off.'],
  EndOfFileExpected: ['there is more after the end', 'Remove what stands after the last }.'],
  UnexpectedEndOfString: ['a text is not closed', 'Close it with a double quotation mark on the same line.'],
  UnexpectedEndOfComment: ['a comment is not closed', 'Close it with */.'],
  UnexpectedEndOfNumber: ['a number is not complete', 'Complete the number.'],
  InvalidNumberFormat: ['this is no number', 'Write it without leading zeros, signs or units, or in quotation marks.'],
  InvalidEscapeCharacter: ['this escape does not exist', 'Write a backslash as \\\\.'],
  InvalidUnicode: ['this \\u escape is not complete', 'Write four hexadecimal digits after \\u.'],
  InvalidCharacter: ['this character may not stand here', 'Escape it, e.g. a tab as \\t.'],
  InvalidSymbol: ['this word is no value', 'Put it in double quotation marks, or write true, false or null.'],
}
const FORBIDDEN = new Set(['__proto__', 'constructor', 'prototype'])

/** JSON with comments and trailing commas as a tree, or what is wrong with it first. */
export function parseSyntax(text: string): { root: Node } | { fault: SyntaxFault } {
  if (text.trim() === '')
    return { fault: { offset: 0, path: [], message: 'Not valid JSON: the file is empty', cure: 'Write {} at least.' } }
  const errors: ParseError[] = []
  const root = parseTree(text, errors, { allowTrailingComma: true, disallowComments: false })
  const [first] = errors
  if (first === undefined && root !== undefined) return { root }
  const code = first === undefined ? 'ValueExpected' : printParseErrorCode(first.error)
  const [message, cure] = words[code] ?? [code, 'Correct the syntax at this place.']
  return { fault: { offset: first?.offset ?? 0, path: [], message: `Not valid JSON: ${message}`, cure } }
}

/** Keys that JSON allows and that would be lost or do harm: one that stands twice, and names of JavaScript’s own. */
export function keyFaults(root: Node): SyntaxFault[] {
  const faults: SyntaxFault[] = []
  const visit = (node: Node, path: string[]): void => {
    if (node.type === 'array')
      for (const [index, item] of (node.children ?? []).entries()) visit(item, [...path, `${index}`])
    if (node.type !== 'object') return
    const seen = new Set<string>()
    for (const property of node.children ?? []) {
      const [name, value] = property.children ?? []
      const key = String(name?.value)
      const at = [...path, key]
      if (seen.has(key))
        faults.push({
          offset: property.offset,
          path: at,
          message: `The key ${key} stands twice, and only one of its values would count`,
          cure: 'Remove one of them.',
        })
      else if (FORBIDDEN.has(key))
        faults.push({ offset: property.offset, path: at, message: `The key ${key} is not allowed`, cure: 'Rename it.' })
      seen.add(key)
      if (value !== undefined) visit(value, at)
    }
  }
  visit(root, [])
  return faults
}
