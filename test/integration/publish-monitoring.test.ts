import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { targetSchema, type Check } from '../../hub/contract/publish.ts'
import { createBundle, type Bundle } from '../../hub/publish/bundle.ts'
import { checkFirewall } from '../../hub/publish/checks/firewall.ts'
import { checkMonitoring } from '../../hub/publish/checks/monitoring.ts'
import { findTool, runTool } from '../../hub/publish/run-tool.ts'
import { temporaryFolder, writeBuiltProgram } from '../fixtures/built-program.ts'

const [promtool, nft] = [await findTool('promtool'), await findTool('nft')]
let folder: Awaited<ReturnType<typeof temporaryFolder>>
let bundle: Bundle
let runs = 0
beforeAll(async () => {
  folder = await temporaryFolder()
  await writeBuiltProgram(folder.path)
  const target = targetSchema.parse({ domain: 'hub.example.com', mode: 'systemd' })
  bundle = await createBundle({ servers: {}, system: {}, target, distDir: folder.path, version: '1.0.0' })
})
afterAll(() => folder.dispose())

/** With one text in the place of another. */
function altered(before = '', after = ''): Bundle {
  const files = bundle.files.map((file) =>
    file.text === null ? file : { ...file, text: file.text.replaceAll(before, after) },
  )
  return before === '' ? bundle : { ...bundle, files }
}

async function own(): Promise<string> {
  const place = path.join(folder.path, String(runs++))
  await mkdir(place)
  return place
}

async function monitoring(...change: [string?, string?]): Promise<Check> {
  return checkMonitoring(altered(...change), await own())
}

it('configuration and rules are YAML, and a line that is not is named', async () => {
  expect(await monitoring()).toMatchObject({ outcome: 'passed' })
  expect(await monitoring('    metrics_path: /api/metrics', '   metrics_path: /api/metrics')).toMatchObject({
    outcome: 'failed',
    artifact: 'ops/prometheus.yml',
    fault: { line: expect.any(Number) as number },
  })
})

describe.skipIf(promtool === null)('promtool', () => {
  it('accepts configuration and rules, and says what it does not accept', async () => {
    expect(await monitoring()).toMatchObject({ outcome: 'passed', tool: 'promtool' })
    expect(await monitoring('scrape_interval: 60s', 'scrape_intervall: 60s')).toMatchObject({
      outcome: 'failed',
      message: expect.stringContaining('scrape_intervall') as string,
    })
    expect(await monitoring('sum(rate(', 'summ(rate(')).toMatchObject({ outcome: 'failed', artifact: 'ops/alerts.yml' })
  })

  async function testRules(...change: [string?, string?]): Promise<{ code: number | null; output: string }> {
    const place = await own()
    for (const { path: name, text } of altered(...change).files)
      if (text !== null && name.startsWith('ops/alerts')) await writeFile(path.join(place, path.basename(name)), text)
    return runTool(promtool ?? '', ['test', 'rules', 'alerts.test.yml'], { cwd: place, timeoutMs: 60_000 })
  }

  it('finds that each rule fires when it should, and only then', async () => {
    expect(await testRules()).toMatchObject({ code: 0 })
    expect(await testRules('26 * 3600', '99 * 3600')).toMatchObject({ code: 1 })
  }, 120_000)
})

describe.skipIf(nft === null)('nftables', () => {
  it('accepts the firewall, and says in which line it does not', async () => {
    expect(await checkFirewall(bundle, await own())).toMatchObject({ outcome: 'passed' })
    expect(await checkFirewall(altered('iif lo accept', 'iif lo acceptt'), await own())).toMatchObject({
      outcome: 'failed',
      fault: { line: expect.any(Number) as number },
    })
  })

  it('has the port of SSH in one place', async () => {
    const moved = altered('define ssh_port = 22', 'define ssh_port = 2222')
    expect(await checkFirewall(moved, await own())).toMatchObject({ outcome: 'passed' })
    const text = moved.files.find(({ path }) => path === 'ops/firewall.nft')?.text ?? ''
    expect(text.replaceAll(/^#.*$/gm, '')).not.toMatch(/\b22\b/)
  })
})
