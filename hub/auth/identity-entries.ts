import type { z } from 'zod'
import type { identitySchema } from './parse-identities.ts'

export type Identities = z.infer<typeof identitySchema>
export type UserEntry = Identities['users'][number]
export type KeyEntry = Identities['keys'][number]

/** The entries of each list. */
export interface EntryOf {
  users: UserEntry
  keys: KeyEntry
}

export const idOf = (entry: UserEntry | KeyEntry): string => ('id' in entry ? entry.id : entry.name)
