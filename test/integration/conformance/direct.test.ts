import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startHttpFixture } from '../../fixtures/mcp-servers/fixtures.ts'
import type { HttpFixture } from '../../fixtures/mcp-servers/fixtures.ts'
import { runServerSuite } from './run-conformance.ts'

// What is measured through the hub is only worth something if the server behind it has no fault of its own.
describe.concurrent.each([
  { revision: '2025-11-25', era: 'legacy', total: 84 },
  { revision: '2026-07-28', era: 'modern', total: 196 },
] as const)('the conformance fixture of the $era era, without a hub', ({ revision, era, total }) => {
  let fixture: HttpFixture
  beforeAll(async () => {
    fixture = await startHttpFixture('conformance/main', '--transport', 'http', '--era', era)
  })
  afterAll(() => fixture.stop())

  it(`passes all ${total} checks of ${revision}`, { timeout: 60_000 }, async () => {
    expect(await runServerSuite(fixture.url, revision)).toEqual({ passed: total, failed: [], warnings: [] })
  })
})

describe.concurrent('the conformance fixture of both eras on one URL', () => {
  let fixture: HttpFixture
  beforeAll(async () => {
    fixture = await startHttpFixture('conformance/main', '--transport', 'http', '--era', 'dual')
  })
  afterAll(() => fixture.stop())

  it('passes both revisions', { timeout: 60_000 }, async () => {
    const [legacy, modern] = await Promise.all([
      runServerSuite(fixture.url, '2025-11-25'),
      runServerSuite(fixture.url, '2026-07-28'),
    ])
    expect(legacy).toEqual({ passed: 84, failed: [], warnings: [] })
    expect(modern).toEqual({ passed: 196, failed: [], warnings: [] })
  })
})
