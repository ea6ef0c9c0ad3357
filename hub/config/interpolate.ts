import { homedir } from 'node:os'
import type { Wordings } from '../contract/index.ts'
import { say, told } from '../say.ts'

/** `${…}`, and `$${…}` for a text that only looks like one. */
const REFERENCE = /\$?\$\{([^}]*)\}/g
/** In a value that a reference brought in, only these are references: a password may hold `${x}`. */
const EXPLICIT = /\$\{((?:secret|env|file):[^}]*)\}/g

export interface Sources {
  env: (name: string) => string | undefined
  secret: (name: string) => string | undefined
  /** Why a secret has no value, where the vault knows. */
  explain?: (name: string) => string | null
  /** The content of `${file:…}`; absent where files may not be read. */
  file?: (path: string) => { value: string | undefined; problem: string | null }
}

export interface Reference {
  kind: 'env' | 'secret' | 'file' | 'home'
  name: string
  /** Of `${NAME:-fallback}`. */
  fallback: string | undefined
}

/** A reference that was looked up, with what was found. */
export interface Used {
  kind: Reference['kind']
  name: string
  value: string | undefined
}

export interface Problem {
  message: string
  cure: string
  said?: Wordings
}

/** The inside of `${…}` as a reference; null when it is none that the hub knows, such as `${input:token}`. */
export function parseReference(inner: string): Reference | null {
  if (inner === 'home' || inner === 'userHome') return { kind: 'home', name: inner, fallback: undefined }
  const scheme = /^(secret|file):([^${}]+)$/.exec(inner)
  if (scheme !== null) return { kind: scheme[1] as 'secret' | 'file', name: scheme[2] ?? '', fallback: undefined }
  const variable = /^(?:env:)?([A-Za-z_]\w*)(?::-(.*))?$/s.exec(inner)
  return variable === null ? null : { kind: 'env', name: variable[1] ?? '', fallback: variable[2] }
}

/** The references in a text, without looking them up. */
export function referencesInText(text: string): Reference[] {
  return [...text.matchAll(REFERENCE)].flatMap(([whole, inner = '']) =>
    whole.startsWith('$$') ? [] : (parseReference(inner) ?? []),
  )
}

/**
 * Puts values in place of `${env:NAME}`, `${NAME}`, `${NAME:-fallback}`, `${secret:NAME}`, `${file:/path}` and `${home}`.
 * Nothing is passed on unresolved: what has no value is a problem with its cure, and the text without it must not be used.
 */
export function interpolate(text: string, sources: Sources): { text: string; used: Used[]; problems: Problem[] } {
  const used: Used[] = []
  const problems: Problem[] = []

  function replace(source: string, pattern: RegExp, trail: readonly string[]): string {
    return source.replace(pattern, (whole, inner: string) => {
      if (whole.startsWith('$$')) return whole.slice(1)
      const reference = parseReference(inner)
      if (reference === null) {
        problems.push(unknown(whole, inner))
        return ''
      }
      const key = `${reference.kind}:${reference.name}`
      if (trail.includes(key)) {
        problems.push(
          told({
            message: say`${whole} leads back to itself: ${[...trail.slice(trail.indexOf(key)), key].join(' → ')}`,
            cure: say`Give one of them a value that refers to no other.`,
          }),
        )
        return ''
      }
      const found = lookUp(reference, sources)
      const value = found.value ?? reference.fallback
      used.push({ kind: reference.kind, name: reference.name, value })
      if (value === undefined) {
        problems.push(missing(whole, reference, found.problem))
        return ''
      }
      return reference.kind === 'home' ? value : replace(value, EXPLICIT, [...trail, key])
    })
  }

  return { text: replace(text, REFERENCE, []), used, problems }
}

function lookUp(reference: Reference, sources: Sources): { value: string | undefined; problem: string | null } {
  const { kind, name } = reference
  if (kind === 'home') return { value: homedir(), problem: null }
  if (kind === 'env') return { value: sources.env(name), problem: null }
  if (kind === 'secret') return { value: sources.secret(name), problem: sources.explain?.(name) ?? null }
  return sources.file?.(name) ?? { value: undefined, problem: 'files cannot be referred to here' }
}

function missing(whole: string, { kind, name }: Reference, problem: string | null): Problem {
  if (kind === 'secret')
    return told({
      message: problem === null ? say`The secret ${name} is not set` : say`The secret ${name} is not set: ${problem}`,
      cure: say`Set the secret ${name} in the vault; on a server set the environment variable ${name}, or name a file by ${name}_FILE.`,
    })
  if (kind === 'file')
    return told({
      message: problem === null ? say`${whole} has no value` : say`${whole} has no value: ${problem}`,
      cure: say`Put the value into that file, and let the hub’s user read it.`,
    })
  return told({
    message: say`${whole} has no value`,
    cure: say`Set the environment variable ${name} for the hub, or write the value.`,
  })
}

function unknown(whole: string, inner: string): Problem {
  const isInput = inner.startsWith('input:')
  const name = inner.replace(/^input:/, '').replace(/\W+/g, '_')
  return told({
    message: isInput
      ? say`${whole} is asked of a person by another client`
      : say`${whole} is no reference that the hub knows`,
    cure: isInput
      ? say`Write \${secret:${name}} in its place, and set the secret ${name} in the vault.`
      : say`Use \${env:NAME}, \${secret:NAME}, \${file:/path} or \${home}; write $\${…} for the text itself.`,
  })
}
