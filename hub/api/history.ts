import { once } from 'node:events'
import type { Request, Response } from 'express'
import {
  auditExportSchema,
  auditQuerySchema,
  historyExportSchema,
  historyQuerySchema,
  statsQuerySchema,
  type AuditPage,
  type HistoryFilter,
  type HistoryPage,
  type RequestRecord,
  type ToolUse,
} from '../contract/index.ts'
import { may } from '../auth/caller.ts'
import { serverInScope, toolInScope } from '../auth/scope.ts'
import { verifyChain } from '../history/audit-chain.ts'
import { allPages, auditColumns, exportLines } from '../history/export.ts'
import type { Recorder } from '../history/recorder.ts'
import type { HistoryStore } from '../history/store.ts'
import { toStats, windowOf } from '../history/traffic.ts'
import { HubError } from '../hub-error.ts'
import type { Metrics } from '../observe/metrics.ts'
import { say } from '../say.ts'
import { callerOf, queryOf, type On } from './routes.ts'

const requestColumns = [
  'id',
  'at',
  'durationMs',
  'principal',
  'client',
  'endpoint',
  'server',
  'method',
  'name',
  'bytesIn',
  'bytesOut',
  'outcome',
  'errorCode',
  'errorMessage',
  'traceId',
  'requestId',
  'waitedMs',
  'sentMs',
  'notifiedMs',
  'repliedMs',
  'notifications',
  'firstByteMs',
  'askedMs',
  'clientMs',
] as const satisfies readonly (keyof RequestRecord)[]

/** Runs on the store; a database that is away is told as such. */
export async function askStore<T>(history: Recorder, work: (store: HistoryStore) => Promise<T>): Promise<T> {
  try {
    return await work(await history.store())
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    throw new HubError('HUB_STORE_UNAVAILABLE', say`The history cannot be read: ${message}`, {
      cure: say`Try again; if it stays, check the database and the space on its disk.`,
    })
  }
}

/** `/api/history`, `/api/stats`, `/api/metrics`, `/api/audit`: what happened. */
export function historyRoutes(on: On, options: { history: Recorder; metrics: Metrics }): void {
  const { history, metrics } = options

  const withStore = <T>(work: (store: HistoryStore) => Promise<T>): Promise<T> => askStore(history, work)

  /** Who may not see everybody's requests sees their own, whatever they ask for. */
  function permitted(request: Request, filter: HistoryFilter): HistoryFilter {
    const caller = callerOf(request)
    return may(caller, 'history:read') ? filter : { ...filter, principal: [caller.id] }
  }

  on('GET /api/history', async (request, response) => {
    const { cursor, limit, ...filter } = queryOf(request, historyQuerySchema)
    const items = await withStore((store) =>
      store.findRequests(permitted(request, filter), { before: before(cursor), limit }),
    )
    const page: HistoryPage = { items, next: next(items.length === limit ? items.at(-1)?.id : undefined) }
    response.json(page)
  })

  on('GET /api/history/export', async (request, response) => {
    const { format, ...filter } = queryOf(request, historyExportSchema)
    const store = await withStore((found) => Promise.resolve(found))
    const mine = permitted(request, filter)
    const pages = allPages(
      (from, limit) => store.findRequests(mine, { before: from, limit }),
      ({ id }) => id,
    )
    await send(response, format, 'mcp-hub-history', exportLines(pages, format, requestColumns))
  })

  on('GET /api/tools/last-used', async (request, response) => {
    const caller = callerOf(request)
    const uses = await withStore((store) => store.lastCalls(may(caller, 'history:read') ? undefined : caller.id))
    const inScope = ({ server, name }: ToolUse): boolean =>
      serverInScope(caller.scopes, server) && toolInScope(caller.scopes, server, name)
    response.json(uses.filter(inScope))
  })

  on('GET /api/history/:id', async (request, response) => {
    const id = Number(request.params['id'])
    const found = Number.isSafeInteger(id) ? await withStore((store) => store.findRequest(id)) : null
    const caller = callerOf(request)
    if (found === null || !(may(caller, 'history:read') || found.principal === caller.id))
      throw new HubError('HUB_NOT_FOUND', say`There is no request ${String(request.params['id'])} in the history`, {
        cure: say`It may be older than what the history keeps.`,
      })
    response.json(found)
  })

  on('GET /api/stats', async (request, response) => {
    const { window } = queryOf(request, statsQuerySchema)
    const now = Date.now()
    const { step, from } = windowOf(window, now)
    const rows = await withStore((store) => store.traffic(step, from))
    response.json(toStats(window, rows, now, history.dropped))
  })

  on('GET /api/metrics', async (_request, response) => {
    const figures = await metrics.scrape()
    if (figures === null)
      throw new HubError('HUB_NOT_FOUND', say`Figures are off`, {
        cure: say`Set monitoring.enabled to true in system.json.`,
      })
    response.set('content-type', figures.contentType).end(figures.text)
  })

  on('GET /api/audit', async (request, response) => {
    const { cursor, limit, ...filter } = queryOf(request, auditQuerySchema)
    const items = await withStore((store) => store.findAudit(filter, { before: before(cursor), limit }))
    const page: AuditPage = { items, next: next(items.length === limit ? items.at(-1)?.seq : undefined) }
    response.json(page)
  })

  on('GET /api/audit/export', async (request, response) => {
    const { format, ...filter } = queryOf(request, auditExportSchema)
    const store = await withStore((found) => Promise.resolve(found))
    const pages = allPages(
      (from, limit) => store.findAudit(filter, { before: from, limit }),
      ({ seq }) => seq,
    )
    await send(response, format, 'mcp-hub-audit', exportLines(pages, format, auditColumns))
  })

  on('GET /api/audit/verify', async (_request, response) => {
    response.json(await withStore((store) => verifyChain(store.auditChain())))
  })
}

function before(cursor: string | undefined): number | undefined {
  return cursor === undefined ? undefined : Number(cursor)
}

function next(id: number | undefined): string | null {
  return id === undefined ? null : String(id)
}

/** Waits for the reader, and stops when it goes away. */
async function send(
  response: Response,
  format: 'ndjson' | 'csv',
  name: string,
  lines: AsyncIterable<string>,
): Promise<void> {
  const day = new Date().toISOString().slice(0, 10)
  response.set({
    'content-type': format === 'csv' ? 'text/csv; charset=utf-8; header=present' : 'application/x-ndjson',
    'content-disposition': `attachment; filename="${name}-${day}.${format}"`,
  })
  const closed = once(response, 'close')
  for await (const text of lines) {
    if (response.destroyed) return
    if (!response.write(text)) await Promise.race([once(response, 'drain'), closed])
  }
  response.end()
}
