import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { takeEnvironment } from '../../hub/config/environment.ts'
import { readSettings, systemOverrides, withOverrides } from '../../hub/config/read-settings.ts'
import { helpOf } from '../../hub/config/setting-help.ts'
import { fixedDefault, isSystemPath, settingEntries } from '../../hub/config/settings.ts'
import { MIN_PASSWORD_LENGTH, systemFileSchema } from '../../hub/contract/index.ts'
import { settingOptions } from '../../hub/cli/setting-options.ts'
import { settingsReference } from '../../scripts/lib/settings-reference.ts'

/** The leaves of the schema of system.json: what is no plain object there is one setting. */
function pathsOf(schema: z.ZodType, at: string): string[] {
  const inner =
    schema instanceof z.ZodOptional || schema instanceof z.ZodDefault ? (schema.unwrap() as z.ZodType) : schema
  if (!(inner instanceof z.ZodObject) || at === 'auth.oauth') return [at]
  return Object.entries(inner.shape).flatMap(([key, value]) =>
    pathsOf(value as z.ZodType, at === '' ? key : `${at}.${key}`),
  )
}

describe('the table of settings', () => {
  it('has every key of system.json, and no other', () => {
    const inTable = settingEntries.map(([name]) => name).filter(isSystemPath)
    const inSchema = pathsOf(systemFileSchema, '').filter((name) => name !== '$schema')
    expect(inTable.toSorted()).toEqual(inSchema.toSorted())
  })

  it('has a place to set each, and no option for a secret', () => {
    for (const [name, { variable, option, secret }] of settingEntries) {
      expect(isSystemPath(name) || variable !== undefined, name).toBe(true)
      expect(secret === true && option !== undefined, name).toBe(false)
      expect(helpOf(name), name).toMatch(/^[^|]+\.$/)
    }
    const variables = settingEntries.flatMap(([, { variable }]) => variable ?? [])
    expect(new Set(variables).size).toBe(variables.length)
    expect(Object.keys(settingOptions)).toEqual(settingEntries.flatMap(([, { option }]) => option ?? []))
  })

  it('is what docs/settings.md says; `node scripts/settings.ts` writes it', async () => {
    const file = path.join(import.meta.dirname, '..', '..', 'docs', 'settings.md')
    expect(await readFile(file, 'utf8')).toBe(settingsReference())
  })

  it('asks of a password what the page tells', () => {
    expect(fixedDefault('auth.passwordRules.minLength')).toBe(MIN_PASSWORD_LENGTH)
  })
})

describe('a setting', () => {
  it('on the command line goes before one in the environment, and both before system.json', () => {
    const { given, faults } = readSettings({
      options: { port: '1', config: undefined },
      environment: { PORT: '2', HOST: '::1', LOG_LEVEL: 'debug' },
    })
    expect(faults).toEqual([])
    expect(given.get('server.port')).toEqual({ value: 1, origin: { from: 'option', name: '--port' } })
    expect(given.get('server.host')).toEqual({ value: '::1', origin: { from: 'environment', name: 'HOST' } })
    expect(given.has('CONFIG_DIR')).toBe(false)
    const system = { server: { port: 3, execConsent: true }, logging: { level: 'warn' as const } }
    expect(withOverrides(system, systemOverrides(given))).toEqual({
      server: { port: 1, host: '::1', execConsent: true },
      logging: { level: 'debug' },
    })
    expect(withOverrides({}, {})).toEqual({})
  })

  it('of a secret names the file that it comes from', () => {
    const file = path.join(import.meta.dirname, 'settings.test.ts')
    const environment = takeEnvironment({ DATABASE_URL_FILE: file })
    expect(environment.faults).toEqual([])
    const { faults } = readSettings({ environment: environment.values })
    expect(faults).toMatchObject([{ path: 'environment DATABASE_URL' }])
    const { given } = readSettings({ environment: { DATABASE_URL: 'postgres://h/d', DATABASE_URL_FILE: file } })
    expect(given.get('DATABASE_URL')?.origin).toEqual({ from: 'environment', name: 'DATABASE_URL_FILE' })
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
    expect(readSettings({ environment: { [name]: right } }).faults).toEqual([])
    expect(readSettings({ environment: { [name]: wrong } }).faults).toMatchObject([{ path: `environment ${name}` }])
  })

  it('that is wrong on the command line is told with the option', () => {
    expect(readSettings({ options: { 'log-level': 'loud' }, environment: {} }).faults).toMatchObject([
      { path: 'option --log-level', message: 'must be one of error, warn, info, debug' },
    ])
  })
})
