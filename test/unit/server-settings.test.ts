import { expect, it } from 'vitest'
import { readServerSettings } from '../../hub/config/server-settings.ts'

it('has defaults for what is not set', () => {
  const { settings, faults } = readServerSettings({})
  expect(faults).toEqual([])
  expect(settings).toMatchObject({ PORT: undefined, OTEL_SERVICE_NAME: 'mcp-hub' })
})

it.each([
  ['PORT', '0', '65536'],
  ['PORT', '3000', '30a'],
  ['LOG_LEVEL', 'debug', 'loud'],
  ['LOG_MAX_SIZE', '10m', 'large'],
  ['LOG_MAX_FILES', '5', '0'],
  ['LOG_ROTATION', 'external', 'both'],
  ['JWT_EXPIRES_IN', '15m', 'soon'],
  ['JWT_SECRET', 'k'.repeat(32), 'short'],
  ['JWT_SECRET', 'k'.repeat(32), 'change-this-to-a-secret-of-your-own-please'],
  ['REDIS_URL', 'rediss://h', 'http://h'],
  ['PUBLIC_URL', 'https://h', 'h'],
  ['DATABASE_URL', 'postgres://u@h/d', 'mysql://h'],
  ['MCP_HUB_TOKEN', 't'.repeat(16), 't'],
  ['MCP_HUB_ADMIN_PASSWORD', 'p'.repeat(8), 'p'],
  ['MCP_HUB_SECRETS_KEY', 'k'.repeat(32), 'k'],
])('%s may be %s, and %s is told with the variable', (name, right, wrong) => {
  expect(readServerSettings({ [name]: right }).faults).toEqual([])
  expect(readServerSettings({ [name]: wrong }).faults).toMatchObject([{ path: `environment ${name}` }])
})
