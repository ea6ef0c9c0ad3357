import { isDeepStrictEqual } from 'node:util'
import { applyEdits, findNodeAtLocation, getNodeValue, modify, parseTree } from 'jsonc-parser'

const formatting = { formattingOptions: { tabSize: 2, insertSpaces: true, eol: '\n' } }

/**
 * The text of a file with one entry of the map `at` added, replaced or (with null) removed, or given another name in its place.
 * Of an entry that is there only what differs is written, so that the comments in it stay.
 */
export function withEntry(text: string, at: readonly string[], name: string, value: unknown, rename = name): string {
  if (value === null) return withValue(text, [...at, name], undefined)
  const node = nodeAt(text, [...at, name])
  if (node === undefined) return withValue(text, [...at, rename], value)
  const present: unknown = getNodeValue(node)
  // Of a property, the first child is its name.
  const label = node.parent?.children?.[0]
  const renamed =
    rename === name || label === undefined
      ? text
      : applyEdits(text, [{ offset: label.offset, length: label.length, content: JSON.stringify(rename) }])
  return differences([...at, rename], present, value).reduce(
    (edited, [at, part]) => withValue(edited, at, part),
    renamed,
  )
}

/** The text of profiles.json in which what each of the profiles says of a server is said of its new name. */
export function withServerRenamed(text: string, profiles: readonly string[], from: string, to: string): string {
  return profiles.reduce((edited, profile) => {
    const at = ['profiles', profile, 'servers']
    const value = valueIn(edited, [...at, from])
    if (value === undefined) return edited
    // What it says of a server that is not there any more gives way.
    return withEntry(withValue(edited, [...at, to], undefined), at, from, value, to)
  }, text)
}

/** The text with a value at a path; undefined takes away what is there. */
export function withValue(text: string, path: readonly string[], value: unknown): string {
  return applyEdits(text, modify(text, [...path], value, formatting))
}

/** What stands at a path of a text; undefined where nothing does. */
export function valueIn(text: string, path: readonly string[]): unknown {
  const node = nodeAt(text, path)
  return node && (getNodeValue(node) as unknown)
}

function nodeAt(text: string, path: readonly string[]): ReturnType<typeof findNodeAtLocation> {
  const root = parseTree(text)
  return root && findNodeAtLocation(root, [...path])
}

/** What to write where, so that one value becomes the other; undefined takes away what is there. A list is written as a whole. */
function differences(path: readonly string[], was: unknown, is: unknown): [path: readonly string[], value: unknown][] {
  if (isDeepStrictEqual(was, is)) return []
  if (!isEntries(was) || !isEntries(is)) return [[path, is]]
  return [...new Set([...Object.keys(was), ...Object.keys(is)])].flatMap((key) =>
    differences([...path, key], ownValue(was, key), ownValue(is, key)),
  )
}

/** A tool may be called `toString`. */
const ownValue = (of: Readonly<Record<string, unknown>>, key: string): unknown =>
  Object.hasOwn(of, key) ? of[key] : undefined

const isEntries = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
