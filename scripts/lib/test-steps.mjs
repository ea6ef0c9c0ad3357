import path from 'node:path'
import { modules, root } from './paths.mjs'

/**
 * @typedef {object} Step
 * @property {string} name
 * @property {string} script run by the tools' Node
 * @property {string[]} args
 * @property {number} minutes after which it is ended as hung
 * @property {'vitest' | 'playwright' | null} runner whose report counts the tests; without one the step itself is the check
 * @property {boolean} needsBuild
 * @property {boolean} needsSystem a screen, a browser, a web server
 */

const tool = (/** @type {string} */ file) => path.join(modules, file)
const ESLINT = tool('eslint/bin/eslint.js')
const PRETTIER = tool('prettier/bin/prettier.cjs')

/** @returns {Step} */
function check(/** @type {string} */ name, /** @type {string} */ script, /** @type {string[]} */ args, minutes = 4) {
  return { name, script, args, minutes, runner: null, needsBuild: false, needsSystem: false }
}

/** @returns {Step} */
function vitest(/** @type {string} */ name, /** @type {number} */ minutes, needs = false) {
  const args = ['run', '--project', name, '--reporter=default', '--reporter=json']
  const script = tool('vitest/vitest.mjs')
  return { name, script, args, minutes, runner: 'vitest', needsBuild: needs, needsSystem: needs }
}

/** @returns {Step} */
function playwright(/** @type {string} */ name, /** @type {number} */ minutes) {
  const args = ['test', `--project=${name}`, '--reporter=list,json']
  const script = tool('@playwright/test/cli.js')
  return { name, script, args, minutes, runner: 'playwright', needsBuild: true, needsSystem: true }
}

/** In the order of how soon they tell something. The deadlines keep a whole run under half an hour. */
export const steps = [
  check('typecheck', path.join(root, 'scripts', 'typecheck.ts'), []),
  check('lint', ESLINT, ['.', '--max-warnings=0']),
  check('format', PRETTIER, ['--check', '--log-level=warn', '.'], 2),
  vitest('unit', 2),
  vitest('ui', 1),
  vitest('integration', 13, true),
  playwright('desktop', 4),
  playwright('web', 8),
  playwright('bundle', 3),
]

/**
 * The steps of `--only a,b`, in their own order.
 * @param {string | undefined} only
 * @returns {{ chosen: Step[], unknown: string[] }}
 */
export function chooseSteps(only) {
  if (only === undefined) return { chosen: steps, unknown: [] }
  const names = only.split(',').filter(Boolean)
  return {
    chosen: steps.filter((step) => names.includes(step.name)),
    unknown: names.filter((name) => !steps.some((step) => step.name === name)),
  }
}

/**
 * @typedef {{ passed: number, failed: number, skipped: number }} Counts
 */

/**
 * What a step counts for: its tests, and itself when it failed though no test did (or has none).
 * @param {Step} step
 * @param {boolean} ok whether it ended well and in time
 * @param {unknown} report of its runner
 * @returns {Counts}
 */
export function countStep(step, ok, report) {
  const counts = readReport(step.runner, report)
  if (step.runner === null) return ok ? { ...counts, passed: 1 } : { ...counts, failed: 1 }
  return { ...counts, failed: ok ? counts.failed : Math.max(counts.failed, 1) }
}

/**
 * @param {Step['runner']} runner
 * @param {unknown} report
 * @returns {Counts}
 */
function readReport(runner, report) {
  const none = { passed: 0, failed: 0, skipped: 0 }
  if (runner === 'vitest' && isRecord(report)) {
    return {
      passed: number(report['numPassedTests']),
      failed: number(report['numFailedTests']),
      skipped: number(report['numPendingTests']) + number(report['numTodoTests']),
    }
  }
  if (runner === 'playwright' && isRecord(report) && isRecord(report['stats'])) {
    const { expected, flaky, unexpected, skipped } = report['stats']
    return { passed: number(expected) + number(flaky), failed: number(unexpected), skipped: number(skipped) }
  }
  return none
}

/**
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
function isRecord(value) {
  return typeof value === 'object' && value !== null
}

/** @param {unknown} value */
function number(value) {
  return typeof value === 'number' ? value : 0
}
