import type { Caller } from './caller.ts'

/** An administrative act, or something about a sign-in that somebody may want to know. It never carries a secret. */
export interface Act {
  /** e.g. `auth.login`, `user.create` */
  action: string
  /** Null where nobody is known (yet). */
  by: Pick<Caller, 'id' | 'name'> | null
  /** What it was done to. */
  target?: string
  address?: string
  /** False for what was refused. */
  ok?: boolean
  details?: Record<string, unknown>
}
export type Audit = (act: Act) => void
