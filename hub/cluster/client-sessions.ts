import type { Redis } from 'ioredis'
import type { ClientSessions, HeldSession, RecordState } from './cluster.ts'
import { recordOfText, textOfRecord } from './client-session-record.ts'

/** As many keys as one script looks at, so that it holds up nobody else. */
const RENEWED_AT_ONCE = 200

/** What could not be removed is tried again so often, and so much of it at most: it ends by itself in time. */
const RETRY_MS = 1_000
const MAX_UNREMOVED = 10_000

const STATES = new Map<number | undefined, RecordState>([
  [1, 'kept'],
  [0, 'missing'],
  [-1, 'lost'],
])

/** What a later generation wrote is not written over. */
const SAVE = `
  local held = tonumber(redis.call('HGET', KEYS[1], 'generation') or -1) or -1
  if held > tonumber(ARGV[1]) then return -1 end
  redis.call('HSET', KEYS[1], 'generation', ARGV[1], 'principal', ARGV[2], 'path', ARGV[3], 'data', ARGV[4])
  redis.call('PEXPIRE', KEYS[1], ARGV[5])
  return 1
`
/** For each key its state, in short as SAVE has them. */
const RENEW = `
  local outcomes = {}
  for at, key in ipairs(KEYS) do
    local held = tonumber(redis.call('HGET', key, 'generation') or -1) or -1
    local own = tonumber(ARGV[at + 1])
    if held > own then outcomes[at] = -1
    elseif held < own then outcomes[at] = 0
    else outcomes[at] = redis.call('PEXPIRE', key, ARGV[1]) end
  end
  return outcomes
`
/** A generation of its own for each hub that asks; whose it is is looked at before anything else. */
const ADOPT = `
  local record = redis.call('HMGET', KEYS[1], 'principal', 'path', 'data')
  if not record[1] or not record[3] then return {'unknown', '', 0} end
  if record[1] ~= ARGV[1] then return {'foreign', record[1], 0} end
  if record[2] ~= ARGV[2] then return {'unknown', '', 0} end
  local generation = redis.call('HINCRBY', KEYS[1], 'generation', 1)
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  redis.call('PUBLISH', ARGV[4], generation .. ' ' .. ARGV[5])
  return {'adopted', record[3], generation}
`
const REMOVE = `
  local held = tonumber(redis.call('HGET', KEYS[1], 'generation') or -1) or -1
  if held <= tonumber(ARGV[1]) then redis.call('DEL', KEYS[1]) end
  return 0
`

interface Scripted extends Redis {
  saveClientSession: (key: string, ...values: (string | number)[]) => Promise<number>
  renewClientSessions: (count: number, ...keysAndValues: (string | number)[]) => Promise<number[]>
  adoptClientSession: (key: string, ...values: (string | number)[]) => Promise<[string, string, number]>
  removeClientSession: (key: string, generation: number) => Promise<number>
}

const stateOf = (outcome: number | undefined): RecordState => STATES.get(outcome) ?? 'unknown'

/** The channel on which hubs tell that they went on with a session. */
export const adoptedChannel = (prefix: string): string => `${prefix}client-session-adopted`

/** Tells the holder what came over the channel. */
export function hearAdopted(sessions: ClientSessions, message: string): void {
  const end = message.indexOf(' ')
  sessions.onAdopted?.(message.slice(end + 1), Number(message.slice(0, end)))
}

/** The records of MCP sessions in Redis, a hash each. */
export function redisClientSessions(redis: Redis, prefix: string): ClientSessions {
  redis.defineCommand('saveClientSession', { numberOfKeys: 1, lua: SAVE })
  redis.defineCommand('renewClientSessions', { lua: RENEW })
  redis.defineCommand('adoptClientSession', { numberOfKeys: 1, lua: ADOPT })
  redis.defineCommand('removeClientSession', { numberOfKeys: 1, lua: REMOVE })
  const scripted = redis as Scripted
  const keyOf = (id: string): string => `${prefix}client-session:${id}`

  /** Sessions that ended while Redis did not answer. */
  const unremoved = new Map<string, number>()
  let retry: NodeJS.Timeout | null = null

  async function remove(id: string, generation: number): Promise<void> {
    try {
      await scripted.removeClientSession(keyOf(id), generation)
      unremoved.delete(id)
    } catch {
      if (unremoved.size < MAX_UNREMOVED) unremoved.set(id, generation)
      retry ??= setTimeout(removeRest, RETRY_MS).unref()
    }
  }

  function removeRest(): void {
    retry = null
    for (const [id, generation] of unremoved) void remove(id, generation)
  }

  async function renewSome(held: readonly HeldSession[], ttlMs: number): Promise<number[]> {
    const [keys, generations] = [held.map(({ id }) => keyOf(id)), held.map(({ generation }) => generation)]
    return scripted.renewClientSessions(keys.length, ...keys, ttlMs, ...generations).catch(() => [])
  }

  return {
    onAdopted: null,
    onReconnected: null,
    save: async ({ id, generation }, { principal, path }, record, ttlMs) => {
      const text = textOfRecord(record)
      if (text === null) {
        // Nobody goes on with what is out of date.
        await remove(id, generation)
        return 'unknown'
      }
      const saved = scripted.saveClientSession(keyOf(id), generation, principal, path, text, ttlMs)
      return stateOf(await saved.catch(() => undefined))
    },
    renew: async (held, ttlMs) => {
      const states: RecordState[] = []
      for (let from = 0; from < held.length; from += RENEWED_AT_ONCE) {
        const some = held.slice(from, from + RENEWED_AT_ONCE)
        const outcomes = await renewSome(some, ttlMs)
        states.push(...some.map((_, at) => stateOf(outcomes[at])))
      }
      return states
    },
    adopt: async (id, { principal, path }, ttlMs) => {
      const unknown = { outcome: 'unknown' } as const
      if (unremoved.has(id)) return unknown
      try {
        // What cannot be read is left alone: the hub that has the session may still be there.
        const before = await redis.hget(keyOf(id), 'data')
        if (before === null || recordOfText(before) === null) return unknown
        const answer = await scripted.adoptClientSession(keyOf(id), principal, path, ttlMs, adoptedChannel(prefix), id)
        const [outcome, text, generation] = answer
        if (outcome === 'foreign') return { outcome, principal: text }
        const record = outcome === 'adopted' ? recordOfText(text) : null
        return record === null ? unknown : { outcome: 'adopted', generation, record }
      } catch {
        return unknown
      }
    },
    remove,
  }
}
