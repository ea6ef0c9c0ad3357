import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { temporaryFolder } from '../../fixtures/built-program.ts'
import { everything, expect, signIn, test } from './fixtures.ts'
import { PASSWORD, startWebHub } from './hub.ts'

/** More than a page asks for at first. */
const LINES = 3_000

test('older lines come from the disk, without moving those on screen', async ({ page, context }) => {
  const folder = await temporaryFolder()
  const logs = path.join(folder.path, 'data', 'logs', 'servers')
  await mkdir(logs, { recursive: true })
  // Of an earlier run of the hub.
  const lines = Array.from({ length: LINES }, (_, index) => ({
    seq: index + 1,
    at: 1_700_000_000_000 + index,
    stream: 'stderr',
    level: index === 0 ? 'error' : 'info',
    text: `old line ${index + 1}`,
  }))
  await writeFile(path.join(logs, 'everything.jsonl'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
  const hub = await startWebHub({ everything }, { MCP_HUB_ADMIN_PASSWORD: PASSWORD }, folder.path)
  try {
    await signIn(context, hub.url)
    await page.goto(`${hub.url}/servers/everything/logs`)
    const log = page.getByRole('log')
    await expect(log.getByText(`old line ${LINES}`, { exact: true })).toBeVisible()
    await expect(page.getByText(/^2,\d{3} lines$/)).toBeVisible()
    await log.evaluate((element) => (element.scrollTop = 0))
    const first = await log
      .getByText(/^old line \d+$/)
      .first()
      .textContent()
    await page.getByRole('button', { name: 'Older lines' }).click()
    await expect(page.getByText(/^3,\d{3} lines$/)).toBeVisible()
    await expect(log.getByText(first ?? '', { exact: true })).toBeInViewport()
    await expect(page.getByRole('button', { name: 'Older lines' })).toBeHidden()
    await page.getByRole('searchbox').fill('OLD LINE 1')
    await page.getByRole('combobox', { name: 'Level' }).selectOption('error')
    await expect(page.getByText('1 line', { exact: true })).toBeVisible()
  } finally {
    await hub.close()
    await folder.dispose()
  }
})
