import pg from 'pg'

const RETRY_MS = [100, 250, 500, 1_000, 2_000]

/**
 * Listens on a channel of PostgreSQL, on a connection of its own, and connects again whenever that breaks. `onListening` is
 * called each time that it begins: what was told before was missed.
 */
export function listenFor(options: {
  url: string
  channel: string
  onNotice: (payload: string) => void
  onListening: () => void
}): { dispose: () => Promise<void> } {
  let client: pg.Client | null = null
  let timer: NodeJS.Timeout | null = null
  let disposed = false
  let tries = 0

  async function connect(): Promise<void> {
    timer = null
    const fresh = new pg.Client({
      connectionString: options.url,
      application_name: 'mcp-hub notices',
      connectionTimeoutMillis: 5_000,
      keepAlive: true,
    })
    client = fresh
    fresh.on('error', () => undefined)
    fresh.on('notification', ({ payload }) => {
      if (payload !== undefined) options.onNotice(payload)
    })
    fresh.once('end', again)
    try {
      await fresh.connect()
      await fresh.query(`LISTEN ${options.channel}`)
      tries = 0
      options.onListening()
    } catch {
      await fresh.end().catch(() => undefined)
      again()
    }
  }

  function again(): void {
    if (disposed || timer !== null) return
    timer = setTimeout(() => void connect(), RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)])
  }

  void connect()
  return {
    dispose: async () => {
      disposed = true
      if (timer !== null) clearTimeout(timer)
      await client?.end().catch(() => undefined)
    },
  }
}
