import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import { gunzipSync } from 'node:zlib'
import { expect, test } from '@playwright/test'
import { launchApp, until } from './app.ts'

const SECRET = 'value-of-a-secret-that-was-planted'

test('a fault of the app is in main.log and reported, and a secret of the vault is in neither', async () => {
  const reports: string[] = []
  const ingest = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.once('end', () => {
      const body = Buffer.concat(chunks)
      reports.push(request.headers['content-encoding'] === 'gzip' ? gunzipSync(body).toString() : body.toString())
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}')
    })
  }).listen(0, '127.0.0.1')
  await once(ingest, 'listening')
  const dsn = `http://publickeyofatest@127.0.0.1:${(ingest.address() as AddressInfo).port}/7`
  const desktop = await launchApp(undefined, { SENTRY_DSN: dsn })
  try {
    const kept = await desktop.page.evaluate(async (value) => {
      for (let tries = 0; tries < 100; tries++) {
        const response = await fetch('/api/secrets/PLANTED', {
          method: 'PUT',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ value }),
        }).catch(() => null)
        if (response?.ok === true) return true
        await new Promise((resolve) => setTimeout(resolve, 100))
      }
      return false
    }, SECRET)
    expect(kept).toBe(true)

    // What nobody catches, as a fault of ours would be.
    await desktop.app.evaluate((_electron, value) => {
      setTimeout(() => {
        throw new Error(`It failed with ${value}`)
      })
    }, SECRET)
    const logFile = path.join(desktop.userData, 'logs', 'main.log')
    const log = (): Promise<string> => readFile(logFile, 'utf8').catch(() => '')
    await until('the log has it', async () => (await log()).includes('It failed with'))
    await until('it is reported', () => Promise.resolve(reports.some((text) => text.includes('It failed with'))))
    for (const text of [await log(), ...reports]) expect(text).not.toContain(SECRET)
    expect(await log()).toContain('It failed with [secret]')
    expect(await log()).not.toContain('publickeyofatest')
    const report = reports.find((text) => text.includes('It failed with')) ?? ''
    expect(report).toContain('It failed with [secret]')
    expect(report).toContain('"part":"app"')

    // A page that crashed is in the log, too, and comes back.
    await desktop.app.evaluate(({ BrowserWindow }) =>
      BrowserWindow.getAllWindows()[0]?.webContents.forcefullyCrashRenderer(),
    )
    await until('the log has the crash', async () => (await log()).includes('The page crashed'))
    await until('the page is back', () =>
      desktop.app.evaluate(async ({ BrowserWindow }) => {
        const contents = BrowserWindow.getAllWindows()[0]?.webContents
        if (contents?.isCrashed() !== false || contents.isLoading()) return false
        return (await contents.executeJavaScript('document.querySelectorAll("nav a").length > 0')) as boolean
      }),
    )
  } finally {
    await desktop.dispose()
    ingest.closeAllConnections()
    ingest.close()
  }
})
