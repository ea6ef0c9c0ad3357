import type { SecretSource, VaultQuality } from '../contract/index.ts'

/**
 * Where `${secret:NAME}` gets its value. Values are held in memory, because servers are started with them; how they are kept
 * is the affair of the vault. A name that `secretNameSchema` refuses is the hub's own, e.g. `oauth:<server>`: people neither
 * see nor set it.
 */
export interface SecretVault {
  readonly quality: VaultQuality
  readonly location: string
  get: (name: string) => string | undefined
  sourceOf: (name: string) => SecretSource
  /** Resolves once it is kept. Rejects with a HubError when it cannot be. */
  set: (name: string, value: string) => Promise<void>
  /** Resolves to whether there was one. */
  delete: (name: string) => Promise<boolean>
  /** What the vault itself keeps. */
  names: () => string[]
  /** Why a name that should have a value has none, where the vault knows more than that. */
  explain: (name: string) => string | null
  /** Names whose value is another one from now on, or is gone. */
  onChange: (listener: (names: string[]) => void) => void
  dispose: () => Promise<void>
}

/** A vault that is only in memory, over a way to keep each change. The change counts once `keep` resolves. */
export function createVault(options: {
  quality: VaultQuality
  location: string
  secrets: Iterable<readonly [string, string]>
  keep: (name: string, value: string | null) => Promise<void>
}): SecretVault & { replace: (secrets: ReadonlyMap<string, string>) => void } {
  let secrets = new Map(options.secrets)
  const listeners: ((names: string[]) => void)[] = []
  let queue: Promise<unknown> = Promise.resolve()

  function tell(names: string[]): void {
    if (names.length > 0) for (const listener of listeners) listener(names)
  }

  /** One after the other, so that the last one that was asked for is the one that is kept. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = queue.then(work)
    queue = done.catch(() => undefined)
    return done
  }

  return {
    quality: options.quality,
    location: options.location,
    get: (name) => secrets.get(name),
    sourceOf: (name) => (secrets.has(name) ? 'vault' : 'missing'),
    set: (name, value) =>
      inTurn(async () => {
        if (secrets.get(name) === value) return
        await options.keep(name, value)
        secrets.set(name, value)
        tell([name])
      }),
    delete: (name) =>
      inTurn(async () => {
        if (!secrets.has(name)) return false
        await options.keep(name, null)
        secrets.delete(name)
        tell([name])
        return true
      }),
    names: () => [...secrets.keys()].sort(),
    explain: () => null,
    onChange: (listener) => void listeners.push(listener),
    replace: (next) => {
      const changed = [...new Set([...secrets.keys(), ...next.keys()])].filter(
        (name) => secrets.get(name) !== next.get(name),
      )
      secrets = new Map(next)
      tell(changed)
    },
    dispose: async () => {
      await queue
    },
  }
}
