import { randomBytes } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { steadyNow } from '../clock.ts'
import type { Cluster, Limiter } from '../cluster/cluster.ts'
import { HubError } from '../hub-error.ts'
import { say } from '../say.ts'
import { placeOf } from './client-address.ts'

const PLACE_FAILURES = 50
const PLACE_WINDOW_MS = 3_600_000
const MAX_DELAY_MS = 30_000
const MAX_DELAYED = 500
const MAX_LISTED = 1_000

/** Who tries to sign in, and from where. `device` names a browser that this user signed in with before. */
export interface Attempt {
  user: string
  address: string
  device: string | null
}

export interface Lockout {
  /** Counts the try before the password is looked at. Throws HUB_LOGIN_LOCKED; may take its time. */
  admit: (attempt: Attempt) => Promise<void>
  /** The password was right: this try was none. */
  succeeded: (attempt: Attempt) => Promise<void>
  /** The password was not looked at: this try was none, and those before it stay. */
  unchecked: (attempt: Attempt) => Promise<void>
  list: () => Promise<{ user: string; address: string; until: number }[]>
  unlock: (user: string) => Promise<void>
}

/**
 * Guesses are limited where they come from, never for the user everywhere: a stranger must not lock anybody out. Three
 * counts: the name from this place (the setting `maxLoginAttempts`), this place with any name, and the name from all places,
 * which only slows down whoever has no browser that is known. Names that nobody has are counted just the same.
 */
export function createLockout(
  cluster: Cluster,
  /** As they are in force. */
  settings: () => { attempts: number; durationMs: number },
  now: () => number = steadyNow,
): Lockout {
  const kind = 'lockout' as const
  const byPlace = cluster.limiter({ name: 'login-place', points: PLACE_FAILURES, durationMs: PLACE_WINDOW_MS, kind })
  let made: { attempts: number; durationMs: number; byNameAndPlace: Limiter; byName: Limiter } | null = null
  const notes = cluster.notes('lockouts')
  /** Part of what a user's tries are counted under, once the user was unlocked: whatever was counted before counts no more. */
  const epochs = cluster.notes('lockout-epochs')
  let delayed = 0

  /** Made anew when the settings are; what was counted is in the store. */
  function limiters(): NonNullable<typeof made> {
    const { attempts: points, durationMs } = settings()
    if (made?.attempts !== points || made.durationMs !== durationMs)
      made = {
        attempts: points,
        durationMs,
        byNameAndPlace: cluster.limiter({ name: 'login-user', points, durationMs, kind }),
        byName: cluster.limiter({ name: 'login-name', points, durationMs, kind }),
      }
    return made
  }

  async function keyOf({ user, address, device }: Attempt): Promise<string> {
    const epoch = await epochs.get(user)
    const key = device === null ? `${user}\n${placeOf(address)}` : `${user}\ndevice ${device}`
    return epoch === null ? key : `${key}\n${epoch}`
  }

  function refuse(resetMs: number): never {
    const minutes = Math.max(1, Math.ceil(resetMs / 60_000))
    throw new HubError('HUB_LOGIN_LOCKED', say`Too many wrong passwords`, {
      cure: say`Try again in ${minutes} ${minutes === 1 ? 'minute' : 'minutes'}, or ask an administrator to unlock the name.`,
      retryAfterMs: resetMs,
    })
  }

  return {
    admit: async (attempt) => {
      const { attempts, byNameAndPlace, byName } = limiters()
      const key = await keyOf(attempt)
      const own = await byNameAndPlace.take(key)
      if (!own.passed) {
        // Said once, for people to see.
        if (own.taken === attempts + 1) await note(key, attempt, now() + own.resetMs)
        refuse(own.resetMs)
      }
      if (attempt.device !== null) return
      const place = await byPlace.take(placeOf(attempt.address))
      if (!place.passed) refuse(place.resetMs)
      const name = await byName.take(attempt.user)
      if (name.passed) return
      if (delayed >= MAX_DELAYED)
        throw new HubError('HUB_BUSY', say`Too many sign-ins are waiting`, {
          cure: say`Try again in a minute.`,
          retryAfterMs: 60_000,
        })
      delayed++
      try {
        await delay(Math.min(MAX_DELAY_MS, 250 * 2 ** Math.min(20, name.taken - attempts)))
      } finally {
        delayed--
      }
    },
    succeeded: async (attempt) => {
      const { byNameAndPlace, byName } = limiters()
      await byNameAndPlace.clear(await keyOf(attempt))
      if (attempt.device !== null) return
      await byPlace.take(placeOf(attempt.address), -1)
      await byName.clear(attempt.user)
    },
    unchecked: async (attempt) => {
      const { byNameAndPlace, byName } = limiters()
      await byNameAndPlace.take(await keyOf(attempt), -1)
      if (attempt.device !== null) return
      await byPlace.take(placeOf(attempt.address), -1)
      await byName.take(attempt.user, -1)
    },
    list: async () => (await present()).map(({ user, address, until }) => ({ user, address, until })),
    unlock: async (user) => {
      // Which places are locked is noted for people only, and not without limit.
      await epochs.put(new Map([[user, randomBytes(6).toString('hex')]]))
      for (const noted of await present()) if (noted.user === user) await notes.delete(noted.key)
      await limiters().byName.clear(user)
    },
  }

  /** The notes of locks that last; those of others are taken away. */
  async function present(): Promise<(Note & { key: string })[]> {
    const entries = [...(await notes.read())].map(([key, text]) => ({ key, ...(JSON.parse(text) as Note) }))
    for (const { key, until } of entries) if (until <= now()) await notes.delete(key)
    return entries.filter(({ until }) => until > now())
  }

  async function note(key: string, { user, address }: Attempt, until: number): Promise<void> {
    // A list for people; who tries a thousand names fills no store.
    if ((await present()).length >= MAX_LISTED) return
    await notes.put(new Map([[key, JSON.stringify({ user, address, until } satisfies Note)]]))
  }
}

interface Note {
  user: string
  address: string
  until: number
}
