import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { RateLimiterMemory, RateLimiterRedis } from 'rate-limiter-flexible'
import { HubError } from '../hub-error.ts'
import { say } from '../say.ts'
import { adoptedChannel, hearAdopted, redisClientSessions } from './client-sessions.ts'
import type { Cluster, SessionRecord, SessionStore } from './cluster.ts'
import { flexibleLimiter } from './flexible-limiter.ts'

const PREFIX = 'mcp-hub:'
/** Tells that sessions ended; each hub looks itself whose. */
const REVOKED = `${PREFIX}revoked`
const HEARTBEAT_MS = 10_000
/** A Redis that hangs must not hang a request for long. */
const COMMAND_TIMEOUT_MS = 1_000

/** One round trip, and one winner, however many hubs ask at once. */
const ROTATE = `
  local session = redis.call('HMGET', KEYS[1], 'generation', 'usedAt', 'endsAt', 'user')
  if not session[1] then return {'unknown', 0} end
  local current, presented, now = tonumber(session[1]), tonumber(ARGV[1]), tonumber(ARGV[2])
  if presented == current then
    local idleEndsAt = now + tonumber(ARGV[4])
    redis.call('HSET', KEYS[1], 'generation', current + 1, 'usedAt', now, 'idleEndsAt', idleEndsAt)
    redis.call('PEXPIREAT', KEYS[1], math.min(idleEndsAt, tonumber(session[3])))
    return {'rotated', current + 1}
  end
  if presented == current - 1 and now - tonumber(session[2]) <= tonumber(ARGV[3]) then return {'repeated', current} end
  redis.call('DEL', KEYS[1])
  return {'reused', 0}
`

interface Scripted extends Redis {
  rotateSession: (
    key: string,
    generation: number,
    now: number,
    leewayMs: number,
    idleMs: number,
  ) => Promise<[string, number]>
}

export interface RedisClusterOptions {
  url: string
  onState: (state: 'up' | 'down', message: string) => void
  now?: () => number
}

/**
 * Many hubs. While Redis is down: limits are counted by each hub alone, lockouts by each hub with its share of the tries,
 * and whatever would need a session looked up is refused with 503. It comes back by itself.
 */
export async function openRedisCluster({ url, onState, now = Date.now }: RedisClusterOptions): Promise<Cluster> {
  const redis = new Redis(url, {
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: COMMAND_TIMEOUT_MS,
    connectTimeout: 5_000,
    retryStrategy: (attempt) => Math.min(2_000, 100 * attempt),
  }) as Scripted
  redis.defineCommand('rotateSession', { numberOfKeys: 1, lua: ROTATE })
  const clientSessions = redisClientSessions(redis, PREFIX)
  let last: 'up' | 'down' | null = null
  const report = (state: 'up' | 'down', message: string): void => {
    if (state !== last) onState(state, message)
    last = state
  }
  redis.on('ready', () => {
    report('up', 'Redis answers')
    clientSessions.onReconnected?.()
  })
  redis.on('error', (error: Error) => report('down', error.message))
  redis.on('close', () => report('down', 'The connection to Redis closed'))

  const insured: { limiter: RateLimiterMemory; points: number }[] = []
  const self = randomUUID()
  /** As last heard. Who was never told allows the least: without Redis nobody can sign in anyway. */
  let hubs = Infinity
  const share = (points: number): number => Math.max(1, Math.floor(points / hubs))
  /** How many hubs there are, for what each may allow alone. */
  async function beat(): Promise<void> {
    try {
      const key = `${PREFIX}hubs`
      const [, , count] =
        (await redis
          .multi()
          .zadd(key, now(), self)
          .zremrangebyscore(key, 0, now() - 3 * HEARTBEAT_MS)
          .zcard(key)
          .exec()) ?? []
      hubs = Math.max(1, Number(count?.[1] ?? 1))
      for (const { limiter, points } of insured) limiter.points = share(points)
    } catch {
      // What was heard last stays in force.
    }
  }
  const heart = setInterval(() => void beat(), HEARTBEAT_MS).unref()

  // A hub starts without Redis too; it says so, and what needs it is refused until it is there.
  await redis
    .connect()
    .catch((error: unknown) => report('down', error instanceof Error ? error.message : String(error)))
  await beat()

  const listener = redis.duplicate({ enableOfflineQueue: true, maxRetriesPerRequest: null, lazyConnect: true })
  // What fails here fails on the other connection, too, which says so.
  listener.on('error', () => undefined)
  listener.on('message', (channel, message: string) => {
    if (channel !== REVOKED) hearAdopted(clientSessions, message)
    else if (message !== self) cluster.onRevoked?.()
  })
  // What was told while it was away was not heard.
  listener.on('ready', () => {
    cluster.onRevoked?.()
    clientSessions.onReconnected?.()
  })
  void listener.subscribe(REVOKED, adoptedChannel(PREFIX)).catch(() => undefined)
  const tell = (): Promise<unknown> => redis.publish(REVOKED, self).catch(() => 0)

  const cluster: Cluster = {
    onRevoked: null,
    clientSessions,
    sessions: redisSessions(redis, now, tell),
    notes: (kind) => ({
      put: async (entries) => {
        if (entries.size > 0) await redis.hset(`${PREFIX}notes:${kind}`, Object.fromEntries(entries)).catch(() => 0)
      },
      read: async () => new Map(Object.entries(await redis.hgetall(`${PREFIX}notes:${kind}`).catch(() => ({})))),
      get: (key) => redis.hget(`${PREFIX}notes:${kind}`, key).catch(() => null),
      delete: async (key) => {
        await redis.hdel(`${PREFIX}notes:${kind}`, key).catch(() => 0)
      },
    }),
    limiter: (policy) => {
      const counted = {
        keyPrefix: `${PREFIX}${policy.name}`,
        points: policy.points,
        duration: policy.durationMs / 1_000,
      }
      const alone = new RateLimiterMemory(counted)
      if (policy.kind === 'lockout') {
        alone.points = share(policy.points)
        insured.push({ limiter: alone, points: policy.points })
        void beat()
      }
      return flexibleLimiter(
        new RateLimiterRedis({ ...counted, storeClient: redis, rejectIfRedisNotReady: true, insuranceLimiter: alone }),
        policy,
      )
    },
    dispose: () => {
      clearInterval(heart)
      // It still counts for a while: were Redis to go while hubs restart, those that are left must not allow too much.
      redis.disconnect()
      listener.disconnect()
      return Promise.resolve()
    },
  }
  return cluster
}

/** The answer, or a refusal that says what is down: nobody is let in on the chance that they were not revoked. */
async function orUnavailable<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer
  } catch (error) {
    throw new HubError(
      'HUB_STORE_UNAVAILABLE',
      say`Redis does not answer: ${error instanceof Error ? error.message : ''}`,
      {
        cure: say`Sign-ins are refused until it is back; API keys and MCP_HUB_TOKEN go on working. See REDIS_URL.`,
      },
    )
  }
}

function redisSessions(redis: Scripted, now: () => number, tell: () => Promise<unknown>): SessionStore {
  const keyOf = (id: string): string => `${PREFIX}session:${id}`
  /** Ids by user, scored by their latest end, so that those of ended sessions can be swept. */
  const indexOf = (user: string): string => `${PREFIX}sessions:${user}`
  const all = `${PREFIX}sessions`

  function recordOf(fields: Record<string, string>): SessionRecord | null {
    if (fields['id'] === undefined) return null
    const numeric = new Set(['generation', 'createdAt', 'usedAt', 'idleEndsAt', 'endsAt'])
    return Object.fromEntries(
      Object.entries(fields).map(([name, value]) => [name, numeric.has(name) ? Number(value) : value]),
    ) as unknown as SessionRecord
  }

  async function listed(index: string): Promise<SessionRecord[]> {
    await redis.zremrangebyscore(index, 0, now())
    const ids = await redis.zrange(index, '0', '-1')
    const found = await Promise.all(ids.map((id) => redis.hgetall(keyOf(id))))
    const gone = ids.filter((_, at) => recordOf(found[at] ?? {}) === null)
    if (gone.length > 0) await redis.zrem(index, ...gone)
    return found.flatMap((fields) => recordOf(fields) ?? []).sort((a, b) => b.usedAt - a.usedAt)
  }

  return {
    open: async (session) => {
      await orUnavailable(
        redis
          .multi()
          .hset(keyOf(session.id), session)
          .pexpireat(keyOf(session.id), Math.min(session.idleEndsAt, session.endsAt))
          .zadd(indexOf(session.user), session.endsAt, session.id)
          .zadd(all, session.endsAt, session.id)
          .exec(),
      )
    },
    find: async (id) => recordOf(await orUnavailable(redis.hgetall(keyOf(id)))),
    rotate: async (id, generation, { leewayMs, idleMs }) => {
      const [outcome, next] = await orUnavailable(redis.rotateSession(keyOf(id), generation, now(), leewayMs, idleMs))
      if (outcome === 'reused') await tell()
      return outcome === 'rotated' || outcome === 'repeated'
        ? { outcome, generation: next }
        : { outcome: outcome === 'reused' ? 'reused' : 'unknown' }
    },
    list: (user) => orUnavailable(listed(user === null ? all : indexOf(user))),
    revoke: async (id) => {
      const ended = (await orUnavailable(redis.del(keyOf(id)))) > 0
      if (ended) await tell()
      return ended
    },
    revokeUser: async (user, except) => {
      const sessions = await orUnavailable(listed(indexOf(user)))
      const ended = sessions.filter(({ id }) => id !== except)
      if (ended.length === 0) return 0
      const count = await orUnavailable(redis.del(...ended.map(({ id }) => keyOf(id))))
      await tell()
      return count
    },
  }
}
