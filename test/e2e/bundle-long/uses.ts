import { readFile } from 'node:fs/promises'
import type { LookupFunction } from 'node:net'
import { expect, type Page } from '@playwright/test'
import { Client as ModernClient, StreamableHTTPClientTransport as ModernTransport } from '@modelcontextprotocol/client'
import { Client as LegacyClient } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as LegacyTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { Agent, fetch as undiciFetch, type RequestInit as UndiciRequestInit } from 'undici'

/** A hub that was installed somehow, as people and clients see it. */
export interface Place {
  origin: string
  token: string
  password: string
  fetch: typeof fetch
}

/** A `fetch` for which every name leads to one address, and that trusts one certificate. */
export async function fetchAt(address: string, certificateFile: string): Promise<typeof fetch> {
  const lookup: LookupFunction = (_name, options, done) =>
    options.all === true ? done(null, [{ address, family: 4 }]) : done(null, address, 4)
  const agent = new Agent({ allowH2: false, connect: { ca: await readFile(certificateFile), lookup } })
  return ((url: string | URL, init?: UndiciRequestInit) =>
    undiciFetch(url, { ...init, dispatcher: agent })) as unknown as typeof fetch
}

function withToken({ token }: Place): { headers: Record<string, string> } {
  return { headers: { authorization: `Bearer ${token}` } }
}

export async function callsAToolInBothEras(place: Place): Promise<void> {
  const url = new URL(`${place.origin}/mcp`)
  const options = { fetch: place.fetch, requestInit: withToken(place) }
  const call = { name: 'everything__echo', arguments: { message: 'over the wire' } }

  const legacy = new LegacyClient({ name: 'test', version: '1' })
  await legacy.connect(new LegacyTransport(url, options))
  await expect
    .poll(async () => (await legacy.listTools()).tools.map(({ name }) => name), { timeout: 60_000 })
    .toContain('everything__echo')
  expect(JSON.stringify((await legacy.callTool(call)).content)).toContain('over the wire')
  await legacy.close()

  const modern = new ModernClient(
    { name: 'test', version: '1' },
    { versionNegotiation: { mode: { pin: '2026-07-28' } } },
  )
  await modern.connect(new ModernTransport(url, options))
  expect(JSON.stringify((await modern.callTool(call)).content)).toContain('over the wire')
  const environment = await modern.callTool({ name: 'everything__get-env', arguments: {} })
  expect(JSON.stringify(environment.content)).toContain('given-on-the-target')
  expect(JSON.stringify(environment.content)).not.toContain(place.token)
  await modern.close()
}

export async function receivesAnEvent(place: Place): Promise<void> {
  const end = new AbortController()
  const answer = await place.fetch(`${place.origin}/api/events`, { ...withToken(place), signal: end.signal })
  expect(answer.headers.get('content-type')).toContain('text/event-stream')
  const reader = answer.body!.pipeThrough(new TextDecoderStream()).getReader()
  const restart = place.fetch(`${place.origin}/api/servers/everything/restart`, { ...withToken(place), method: 'POST' })
  let seen = ''
  while (!seen.includes('server.changed')) seen += (await reader.read()).value ?? ''
  expect((await restart).ok).toBe(true)
  end.abort()
}

export async function signsIn(place: Place, page: Page): Promise<void> {
  const violations: string[] = []
  page.on('console', (message) => {
    if (/Content.Security.Policy/i.test(message.text())) violations.push(message.text())
  })
  await page.goto(place.origin)
  await page.locator('input[name="username"]').fill('admin')
  await page.locator('input[name="password"]').fill(place.password)
  await page.locator('button[type="submit"]').click()
  await expect(page).not.toHaveURL(/login/)
  await page.goto(`${place.origin}/servers`)
  await expect(page.getByText('everything').first()).toBeVisible()
  expect(violations).toEqual([])
}

export async function refusesStrangers(place: Place): Promise<void> {
  const body = { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } }
  expect((await place.fetch(`${place.origin}/mcp`, body)).status).toBe(401)
  expect((await place.fetch(`${place.origin}/api/servers`)).status).toBe(401)
}
