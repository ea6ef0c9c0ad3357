import { mkdirSync, rmSync } from 'node:fs'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { bootstrap } from './bootstrap.mjs'
import { buildStale } from './lib/build-stale.mjs'
import { cache, readJson, root, toolEnv, toolNode } from './lib/paths.mjs'
import { run } from './lib/process.mjs'
import { onEnd } from './lib/launch.mjs'
import { report } from './lib/setup-error.mjs'
import { chooseSteps, countStep, failedTests, flakyTests, longSteps, steps } from './lib/test-steps.mjs'
import { startVirtualDisplay } from './lib/virtual-display.mjs'

/** Everything that CI runs, from a bare clone: `npm test [-- --only lint,unit]`. */
const { values } = parseArgs({ options: { only: { type: 'string' } } })
const { chosen, unknown } = chooseSteps(values.only)
if (unknown.length > 0 || chosen.length === 0) {
  console.error(`--only takes some of: ${[...steps, ...longSteps].map(({ name }) => name).join(',')}`)
  process.exit(2)
}

const ended = new AbortController()
onEnd(() => {
  ended.abort()
})
const seconds = (/** @type {number} */ since) => `${((performance.now() - since) / 1000).toFixed(1)} s`
/** @type {{ name: string, ok: boolean, took: string, note: string }[]} */
const summary = []
/** @type {string[]} */
const failures = []
/** @type {string[]} */
const flaky = []
const total = { passed: 0, failed: 0, skipped: 0 }
/** @type {Awaited<ReturnType<typeof startVirtualDisplay>> | null} */
let display = null

/**
 * @param {import('./lib/test-steps.mjs').Step} step
 * @param {boolean} [beside] whether others run beside it: then its output comes in one piece at its end
 */
async function runStep(step, beside = false) {
  if (!beside) console.log(`\n── ${step.name} ──`)
  const started = performance.now()
  const reportFile = path.join(cache, `report-${step.name}.json`)
  rmSync(reportFile, { force: true })
  const args = step.runner === 'vitest' ? [...step.args, `--outputFile.json=${reportFile}`] : step.args
  const result = await run(toolNode(), [step.script, ...args], {
    cwd: root,
    env: { ...toolEnv(display?.env), PLAYWRIGHT_JSON_OUTPUT_NAME: reportFile },
    keep: beside,
    deadlineMs: step.minutes * 60_000,
    signal: ended.signal,
  })
  if (beside) console.log(`\n── ${step.name} ──\n${result.output.trimEnd()}`)
  const written = readJson(reportFile)
  const counts = countStep(step, result.code === 0, written)
  failures.push(...failedTests(step.runner, written))
  flaky.push(...flakyTests(step.runner, written))
  total.passed += counts.passed
  total.failed += counts.failed
  total.skipped += counts.skipped
  const tests = `${String(counts.passed)} passed, ${String(counts.failed)} failed`
  const note = result.timedOut ? `ended after ${String(step.minutes)} minutes` : step.runner ? tests : ''
  summary.push({ name: step.name, ok: result.code === 0, took: seconds(started), note })
}

/** The system's packages, Electron and PM2: mostly waiting for the network, so it goes on beside the first steps. */
async function setUpSystem() {
  const started = performance.now()
  await bootstrap({ test: true, packages: chosen.flatMap((step) => step.packages ?? []) })
  summary.push({ name: 'system', ok: true, took: seconds(started), note: '' })
}

async function runAll() {
  await bootstrap({ packagesOnly: true })
  mkdirSync(cache, { recursive: true })
  const system = chosen.some((step) => step.needsSystem) ? setUpSystem() : null
  // Awaited where it is needed; until then a failure of it is nobody's unhandled rejection.
  system?.catch(() => undefined)
  const checks = chosen.filter((step) => step.runner === null)
  const [longest, ...others] = checks.toSorted((a, b) => b.minutes - a.minutes)
  const long = longest === undefined ? null : runStep(longest, true)
  await Promise.all(others.map((step) => runStep(step, true)))
  const [builds] = chosen.filter((step) => step.needsBuild)
  for (const step of chosen.filter((step) => !checks.includes(step))) {
    // By now it leaves a core to tests that need nothing but this process; those that need a build have both to themselves.
    if (step.needsBuild) await long
    if (ended.signal.aborted) return
    if (step === builds) await buildStale()
    if (step.needsSystem) {
      await system
      // A screen and a bus of our own, also where there is a real one: windows must not steal the focus from a person.
      if (process.platform === 'linux') display ??= await startVirtualDisplay()
    }
    await runStep(step)
  }
  await long
}

const started = performance.now()
await runAll()
  .catch((/** @type {unknown} */ error) => {
    report(error)
    total.failed += 1
    summary.push({ name: 'set-up', ok: false, took: seconds(started), note: 'see above' })
  })
  .finally(() => display?.stop())

console.log('')
for (const { name, ok, took, note } of summary) {
  console.log(`${ok ? '✓' : '✗'} ${name.padEnd(12)} ${took.padStart(8)}  ${note}`)
}
for (const test of flaky) console.log(`\n~ passed only when tried once more: ${test}`)
for (const failure of failures) console.log(`\n✗ ${failure}`)
if (ended.signal.aborted) console.log('Interrupted.')
if (total.failed > 0 || ended.signal.aborted) process.exitCode = 1
console.log(
  `\n${String(total.passed)} passed, ${String(total.failed)} failed${total.skipped > 0 ? `, ${String(total.skipped)} skipped` : ''} in ${seconds(started)}`,
)
