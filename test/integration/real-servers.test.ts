import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { ToolEntry } from '../../hub/contract/index.ts'
import { temporaryFolder } from '../fixtures/built-program.ts'
import { startHub, type TestHub } from '../fixtures/hub.ts'

const require = createRequire(import.meta.url)

/** The program of an npm package, as `npx` would start it, without a network. */
function packaged(name: string, ...args: string[]): { command: string; args: string[] } {
  const folder = path.join(
    require.resolve.paths(name)!.find((each) => readable(path.join(each, name)))!,
    name,
  )
  const { bin } = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')) as { bin: Record<string, string> }
  return { command: process.execPath, args: [path.join(folder, Object.values(bin)[0]!), ...args] }
}
function readable(folder: string): boolean {
  try {
    return readFileSync(path.join(folder, 'package.json')).length > 0
  } catch {
    return false
  }
}

let folder: Awaited<ReturnType<typeof temporaryFolder>>
let hub: TestHub
const working: Record<string, [packageName: string, tool: string, args?: string[]]> = {
  everything: ['@modelcontextprotocol/server-everything', 'echo'],
  filesystem: ['@modelcontextprotocol/server-filesystem', 'list_directory'],
  memory: ['@modelcontextprotocol/server-memory', 'read_graph'],
  thinking: ['@modelcontextprotocol/server-sequential-thinking', 'sequentialthinking'],
  playwright: ['@playwright/mcp', 'browser_navigate', ['--headless']],
  context7: ['@upstash/context7-mcp', 'resolve-library-id'],
}
// Nothing answers on port 9 (discard): its API is out of reach, whatever network this machine has.
const unreachable = ['--access-token', `sbp_${'0'.repeat(40)}`, '--api-url', 'http://127.0.0.1:9']

beforeAll(async () => {
  folder = await temporaryFolder()
  const servers = Object.entries(working).map(([name, [packageName, , args = []]]) => [
    name,
    packaged(packageName, ...args, ...(name === 'filesystem' ? [folder.path] : [])),
  ])
  const supabase = packaged('@supabase/mcp-server-supabase', ...unreachable)
  hub = await startHub({
    ...(Object.fromEntries(servers) as object),
    offline: { ...supabase, hub: { maxStartAttempts: 2 } },
    keyless: { ...packaged('@supabase/mcp-server-supabase'), hub: { maxStartAttempts: 2 } },
  })
}, 60_000)
afterAll(async () => {
  await hub.close()
  await folder.dispose()
})

it.each(Object.entries(working))('%s from npm starts and lists its tools', async (name, [, tool]) => {
  await hub.until(name, 'running')
  const tools = (await hub.api('GET', '/api/tools')).body as ToolEntry[]
  const own = tools.filter(({ server }) => server === name)
  expect(own.map((each) => each.name)).toContain(tool)
  // Rules of thumb that find fault with these would find it with everything.
  expect(own.filter(({ warnings }) => warnings.length > 0).map((each) => [each.name, each.warnings])).toEqual([])
})

it('a server whose service is out of reach ends in failed with the true reason and the cure', async () => {
  const { reason, attempt } = await hub.until('offline', 'failed')
  expect(reason?.message).toContain('it cannot reach a service that it needs (fetch failed)')
  expect(reason?.cure).toContain('Check the network connection')
  expect(attempt).toBe(2)
})

it('a server without its key ends in failed, naming the variable', async () => {
  const { reason } = await hub.until('keyless', 'failed')
  expect(reason?.message).toContain('the variable SUPABASE_ACCESS_TOKEN is not set')
  expect(reason?.cure).toContain('${secret:SUPABASE_ACCESS_TOKEN}')
})
