import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import type { Scopes } from '../../hub/auth/scope.ts'
import type { GatewayContext, HttpRequest } from '../../hub/gateway/context.ts'
import type { Session } from '../../hub/gateway/session.ts'
import { createSessionTable, type SessionTable } from '../../hub/gateway/session-table.ts'
import type { View } from '../../hub/gateway/view.ts'

const view = { path: '/mcp', upstreams: [], listNow: () => null } as unknown as View
const MINUTES = 60_000
const limits = { maxSessions: 10, maxSessionsPerPrincipal: 2, sessionIdleMs: 60 * MINUTES }

let table: SessionTable
beforeEach(() => {
  vi.useFakeTimers()
  table = createSessionTable({ limits, instance: null, sessionRecords: null } as unknown as GatewayContext)
})
afterEach(() => {
  table.closeAll()
  vi.useRealTimers()
})

const from = (session?: Session, scopes: Scopes = []): HttpRequest =>
  ({
    principal: { id: 'person', scopes },
    view,
    request: { headers: session === undefined ? {} : { 'mcp-session-id': session.id } },
  }) as unknown as HttpRequest
const open = (): Session => table.create(from(), { protocolVersion: '2025-11-25', capabilities: {} })

it('gives a session back, and its place, when its client never says a word after initialize', () => {
  const spoken = open()
  const silent = open()
  expect(open).toThrow('limits.maxSessionsPerPrincipal')
  vi.advanceTimersByTime(MINUTES)
  expect(table.find(from(spoken))).toBe(spoken)
  expect(table.known.size).toBe(2)
  vi.advanceTimersByTime(4 * MINUTES)
  expect([...table.known.values()]).toEqual([spoken])
  expect(table.find(from(silent))).toBeNull()
  expect(open).not.toThrow()
})

it('keeps one whose client has spoken until it was idle for as long as it may be', () => {
  const session = open()
  table.find(from(session))
  vi.advanceTimersByTime(59 * MINUTES)
  expect(table.known.size).toBe(1)
  vi.advanceTimersByTime(2 * MINUTES)
  expect(table.known.size).toBe(0)
})

it('keeps one that has a stream open, whatever its client says', () => {
  const session = open()
  session.general = { connected: true, retire: () => undefined } as never
  vi.advanceTimersByTime(120 * MINUTES)
  expect(table.known.size).toBe(1)
})

it('ends one whose key was narrowed or widened since', () => {
  const [narrowed, widened] = [open(), table.create(from(undefined, [{ servers: ['a'] }]), {})]
  expect(table.find(from(narrowed, []))).toBe(narrowed)
  expect(table.find(from(widened, [{ servers: ['a'] }]))).toBe(widened)
  expect(table.find(from(narrowed, [{ servers: ['a'] }]))).toBeNull()
  expect(table.find(from(widened))).toBeNull()
  expect(table.known.size).toBe(0)
})
