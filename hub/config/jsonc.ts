import { findNodeAtLocation, getNodePath, type Node } from 'jsonc-parser'
import type { Fault } from '../contract/index.ts'
import { told, type Said } from '../say.ts'
import { keyFaults, parseSyntax, type SyntaxFault } from './syntax.ts'

export type Parsed<T> = { ok: true; value: T } | { ok: false; faults: Fault[] }

/** The document, or what is wrong with its syntax and its keys. */
export function parseJsonc(text: string, file: string | null): Parsed<{ root: Node | undefined; value: unknown }> {
  const parsed = parseSyntax(text)
  const faults = 'fault' in parsed ? [parsed.fault] : keyFaults(parsed.root)
  if ('root' in parsed && faults.length === 0)
    return { ok: true, value: { root: parsed.root, value: valueOf(parsed.root) } }
  const located = faults.map(({ path, offset, message, cure }: SyntaxFault) =>
    fault(file, path, lineAndColumn(text, offset), message, cure),
  )
  return { ok: false, faults: located }
}

/** jsonc-parser's own getNodeValue assigns by key, which a `__proto__` in the file would turn against us. */
function valueOf(node: Node): unknown {
  if (node.type === 'array') return (node.children ?? []).map(valueOf)
  if (node.type !== 'object') return node.value as unknown
  return Object.fromEntries(
    (node.children ?? []).map((property) => [
      String(property.children?.[0]?.value),
      property.children?.[1] ? valueOf(property.children[1]) : undefined,
    ]),
  )
}

export interface Position {
  line: number | null
  column: number | null
}

export function fault(
  file: string | null,
  path: (string | number)[],
  position: Position,
  message: Said | string,
  cure: Said | string,
): Fault {
  return told({
    file,
    path: path
      .map((part) => (typeof part === 'number' ? `[${part}]` : part))
      .join('.')
      .replaceAll('.[', '['),
    ...position,
    message,
    cure,
  })
}

export function positionOf(text: string, root: Node | undefined, path: (string | number)[]): Position {
  if (root === undefined) return { line: null, column: null }
  for (let length = path.length; length >= 0; length--) {
    const node = findNodeAtLocation(root, path.slice(0, length))
    if (node === undefined) continue
    // A property is shown at its key, not at its value.
    const at = node.parent?.type === 'property' ? node.parent : node
    return getNodePath(at).length >= 0 ? lineAndColumn(text, at.offset) : { line: null, column: null }
  }
  return { line: null, column: null }
}

function lineAndColumn(text: string, offset: number): { line: number; column: number } {
  const before = text.slice(0, offset).split('\n')
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 }
}
