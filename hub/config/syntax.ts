import { parseTree, printParseErrorCode, type Node, type ParseError } from 'jsonc-parser'
import { say, type Said } from '../say.ts'

export interface SyntaxFault {
  offset: number
  message: Said
  cure: Said
  path: string[]
}

const words: Readonly<Record<string, [message: Said, cure: Said]>> = {
  CommaExpected: [say`a comma is missing`, say`Put a comma after the entry before this place.`],
  ColonExpected: [say`a colon is missing`, say`Put a colon between the name and its value.`],
  ValueExpected: [say`a value is missing`, say`Write a value, or remove the name or the comma before this place.`],
  PropertyNameExpected: [say`a name in quotation marks is missing`, say`Write the name in double quotation marks.`],
  CloseBraceExpected: [say`a } is missing`, say`Close the object with a }; the file may have been cut off.`],
  CloseBracketExpected: [say`a ] is missing`, say`Close the list with a ]; the file may have been cut off.`],
  EndOfFileExpected: [say`there is more after the end`, say`Remove what stands after the last }.`],
  UnexpectedEndOfString: [say`a text is not closed`, say`Close it with a double quotation mark on the same line.`],
  UnexpectedEndOfComment: [say`a comment is not closed`, say`Close it with */.`],
  UnexpectedEndOfNumber: [say`a number is not complete`, say`Complete the number.`],
  InvalidNumberFormat: [
    say`this is no number`,
    say`Write it without leading zeros, signs or units, or in quotation marks.`,
  ],
  InvalidEscapeCharacter: [say`this escape does not exist`, say`Write a backslash as \\\\.`],
  InvalidUnicode: [say`this \\u escape is not complete`, say`Write four hexadecimal digits after \\u.`],
  InvalidCharacter: [say`this character may not stand here`, say`Escape it, e.g. a tab as \\t.`],
  InvalidSymbol: [say`this word is no value`, say`Put it in double quotation marks, or write true, false or null.`],
}
const FORBIDDEN = new Set(['__proto__', 'constructor', 'prototype'])

/** JSON with comments and trailing commas as a tree, or what is wrong with it first. */
export function parseSyntax(text: string): { root: Node } | { fault: SyntaxFault } {
  if (text.trim() === '')
    return {
      fault: {
        offset: 0,
        path: [],
        message: say`Not valid JSON: the file is empty`,
        cure: say`Write {} at least.`,
      },
    }
  const errors: ParseError[] = []
  const root = parseTree(text, errors, { allowTrailingComma: true, disallowComments: false })
  const [first] = errors
  if (first === undefined && root !== undefined) return { root }
  const code = first === undefined ? 'ValueExpected' : printParseErrorCode(first.error)
  const [message, cure] = words[code] ?? [code, say`Correct the syntax at this place.`]
  return { fault: { offset: first?.offset ?? 0, path: [], message: say`Not valid JSON: ${message}`, cure } }
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
          message: say`The key ${key} stands twice, and only one of its values would count`,
          cure: say`Remove one of them.`,
        })
      else if (FORBIDDEN.has(key))
        faults.push({
          offset: property.offset,
          path: at,
          message: say`The key ${key} is not allowed`,
          cure: say`Rename it.`,
        })
      seen.add(key)
      if (value !== undefined) visit(value, at)
    }
  }
  visit(root, [])
  return faults
}
