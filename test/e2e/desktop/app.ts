import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import path from 'node:path'
import { _electron, type ElectronApplication, type Page } from '@playwright/test'
import { temporaryFolder } from '../../fixtures/built-program.ts'
import { electronPath } from '../../../scripts/electron-path.mjs'

const root = path.join(import.meta.dirname, '..', '..', '..')

export interface DesktopApp {
  app: ElectronApplication
  page: Page
  /** Violations of the page's Content-Security-Policy; a test ends with none. */
  violations: string[]
  userData: string
  dispose: () => Promise<void>
}

/** The built app with data of its own. `system` becomes the hub's system.json. */
export async function launchApp(
  system?: Record<string, unknown>,
  env: Record<string, string> = {},
): Promise<DesktopApp> {
  const folder = await temporaryFolder()
  await mkdir(path.join(folder.path, 'config'), { recursive: true })
  await writeFile(
    path.join(folder.path, 'config', 'system.json'),
    JSON.stringify(system ?? { server: { port: await freePort() } }),
  )
  const inherited = Object.fromEntries(
    Object.entries(process.env).filter(
      (entry): entry is [string, string] =>
        entry[1] !== undefined && entry[0] !== 'DBUS_SESSION_BUS_ADDRESS' && entry[0] !== 'WAYLAND_DISPLAY',
    ),
  )
  const app = await _electron.launch({
    executablePath: electronPath(),
    args: [
      root,
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      `--user-data-dir=${folder.path}`,
      '--lang=en-US',
    ],
    cwd: root,
    env: { ...inherited, ...env },
  })
  const page = await app.firstWindow()
  const violations: string[] = []
  await page.exposeFunction('reportViolation', (text: string) => violations.push(text))
  await page.evaluate(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      ;(window as unknown as { reportViolation: (text: string) => void }).reportViolation(
        `${event.violatedDirective} ${event.blockedURI}`,
      )
    })
  })
  return {
    app,
    page,
    violations,
    userData: folder.path,
    dispose: async () => {
      await app.close().catch(() => undefined)
      await folder.dispose()
    },
  }
}

export async function freePort(): Promise<number> {
  const server = createServer()
  const port = await new Promise<number>((resolve) =>
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)),
  )
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** All processes below one, by /proc. */
export async function descendants(pid: number): Promise<number[]> {
  const parents = new Map<number, number>()
  for (const name of (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))) {
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '')
    if (stat !== '') parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]))
  }
  const found: number[] = []
  const visit = (parent: number): void => {
    for (const [child, of] of parents) {
      if (of !== parent) continue
      found.push(child)
      visit(child)
    }
  }
  visit(pid)
  return found
}

export async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return stat !== '' && stat.slice(stat.lastIndexOf(')') + 2)[0] !== 'Z'
}

/** Waits for a condition, at most `ms`. */
export async function until(what: string, condition: () => Promise<boolean>, ms = 20_000): Promise<void> {
  for (const deadline = Date.now() + ms; Date.now() < deadline;) {
    if (await condition()) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error(`Waited ${ms} ms in vain: ${what}`)
}
