import { setTimeout as delay } from 'node:timers/promises'
import type { AuditPage } from '../../../../hub/contract/index.ts'
import { startBuiltHub } from '../../../fixtures/built-hub.ts'
import { startPostgres } from '../../../fixtures/postgres.ts'
import { startRedis } from '../../../fixtures/redis.ts'
import { waitFor } from '../../../fixtures/wire.ts'
import type { Row } from '../row.ts'

const storesDown: Row = {
  id: 'R14',
  what: 'Redis, then PostgreSQL killed and started again',
  must: '/health/ready 503 only for PostgreSQL; back within 5 s; no act lost',
  run: async ({ short }) => {
    const away = short ? 2_000 : 60_000
    const [redis, postgres] = await Promise.all([startRedis(), startPostgres()])
    const hub = await startBuiltHub({ env: { REDIS_URL: redis.url, DATABASE_URL: postgres.url } })
    try {
      const faults: string[] = []
      const ready = async (): Promise<number> => (await fetch(`${hub.url}/health/ready`)).status
      let acts = 0
      /** A sign-in that fails is an act, and needs no PostgreSQL to be refused. */
      const act = async (): Promise<void> => {
        const body = JSON.stringify({ username: `nobody-${acts}`, password: 'wrong' })
        const headers = { 'content-type': 'application/json' }
        const { status } = await fetch(`${hub.url}/api/auth/login`, { method: 'POST', headers, body })
        if (status === 401) acts++
        else faults.push(`a sign-in was answered with ${status}`)
      }
      await act()

      await redis.kill()
      await delay(away)
      if ((await ready()) !== 200) faults.push('not ready without Redis')
      if ((await hub.request('/api/hub')).status !== 200) faults.push('no answers without Redis')
      await redis.start()

      await postgres.kill()
      await waitFor(async () => (await ready()) === 503, 10_000).catch(() => faults.push('ready without PostgreSQL'))
      for (let n = 0; n < 3; n++) await act()
      await delay(away)
      await postgres.start()
      const started = performance.now()
      await waitFor(async () => (await ready()) === 200, 30_000)
      const seconds = (performance.now() - started) / 1_000
      await act()
      const kept = await waitFor(async () => {
        const page = (await (await hub.request('/api/audit?action=auth.login')).json()) as AuditPage
        return page.items.length >= acts ? page.items.length : null
      }, 10_000).catch(() => 0)
      if (kept < acts) faults.push(`${kept} of ${acts} acts kept`)
      return {
        measured: `${away / 1_000} s away each; back after ${seconds.toFixed(1)} s; ${faults.join('; ') || `${kept} acts, none lost`}`,
        pass: faults.length === 0 && seconds <= 5,
      }
    } finally {
      await hub.end()
      await Promise.all([redis.close(), postgres.stop()])
    }
  },
}

export const storeRows: readonly Row[] = [storesDown]
