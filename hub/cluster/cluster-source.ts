import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Log } from '../observe/log.ts'
import type { Cluster, Limiter, LimiterPolicy } from './cluster.ts'
import { memoryLimiter } from './memory-limiter.ts'

export interface ClusterSource {
  /** Loaded and connected with the first call. */
  open: () => Promise<Cluster>
  /** Counts for all hubs together; at once where this one counts alone. */
  limiter: (policy: LimiterPolicy) => Pick<Limiter, 'take'>
  dispose: () => Promise<void>
}

/** Where the hubs meet: in Redis, or without it in a folder of this machine. */
export function createClusterSource(options: { redisUrl: string | null; dir: string; log: Log }): ClusterSource {
  const { redisUrl, dir, log } = options
  let cluster: Promise<Cluster> | null = null

  async function connect(): Promise<Cluster> {
    if (redisUrl === null) {
      await mkdir(dir, { recursive: true, mode: 0o700 })
      const file = join(dir, 'identity.db')
      return (await import('./local.ts')).openLocalCluster(file, {
        onDamaged: (aside, error) =>
          log('error', 'The file of sessions was damaged and put aside: everybody must sign in again', {
            file,
            aside,
            error: String(error),
          }),
        onFault: (error) =>
          log('error', 'Sessions and lockouts cannot be kept up to date', { file, error: String(error) }),
      })
    }
    const { openRedisCluster } = await import('./redis.ts')
    return openRedisCluster({
      url: redisUrl,
      onState: (state, message) => log(state === 'up' ? 'info' : 'error', 'Redis', { state, message }),
    })
  }

  /** What failed is tried again with the next call. */
  function open(): Promise<Cluster> {
    if (cluster !== null) return cluster
    const opening = connect()
    cluster = opening
    opening.catch(() => {
      if (cluster === opening) cluster = null
    })
    return opening
  }

  return {
    open,
    limiter: (policy) => {
      // One machine counts without its store, so that nobody who only serves clients with keys opens it.
      if (redisUrl === null) return memoryLimiter(policy)
      const shared = open().then((opened) => opened.limiter(policy))
      return { take: async (key, points) => (await shared).take(key, points) }
    },
    dispose: async () => {
      await (await cluster?.catch(() => null))?.dispose()
    },
  }
}
