import type { Pool } from 'undici'

export interface PoolOptions {
  connections: number
  connectTimeoutMs: number
}

/**
 * Kept-alive connections to one origin. undici is loaded with the first of them: a hub whose servers are all processes of
 * its own needs none of it, and it is the largest of all modules.
 */
export async function openPool(origin: string, options: PoolOptions): Promise<Pool> {
  const { Pool } = await import('undici')
  return new Pool(origin, {
    connections: options.connections,
    pipelining: 1,
    // Less than the 5 s after which a server on Node closes an idle connection.
    keepAliveTimeout: 4_000,
    connect: { timeout: options.connectTimeoutMs },
    // A call has its own limit, and a stream none.
    headersTimeout: 0,
    bodyTimeout: 0,
  })
}
