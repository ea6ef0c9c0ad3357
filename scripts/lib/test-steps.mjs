import path from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { modules, root } from './paths.mjs'
import { LONG_PACKAGES } from './system-packages.mjs'

/**
 * @typedef {object} Step
 * @property {string} name
 * @property {string} script run by the tools' Node
 * @property {string[]} args
 * @property {number} minutes after which it is ended as hung
 * @property {'vitest' | 'playwright' | null} runner whose report counts the tests; without one the step itself is the check
 * @property {boolean} needsBuild
 * @property {boolean} needsSystem a screen, a browser, a web server
 * @property {readonly (readonly string[])[]} [packages] of the system, besides those that every test may need
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
  check('lint', ESLINT, ['.', '--max-warnings=0'], 9),
  check('format', PRETTIER, ['--check', '--log-level=warn', '.'], 2),
  vitest('unit', 2),
  vitest('ui', 1),
  vitest('integration', 13, true),
  playwright('desktop', 2),
  playwright('web', 8),
  playwright('visual', 2),
  playwright('bundle', 3),
]

/** What runs only when it is named: it takes longer than all the others, and installs what they do not need. */
export const longSteps = [{ ...playwright('bundle-long', 60), packages: LONG_PACKAGES }]

/**
 * The steps of `--only a,b`, in their own order.
 * @param {string | undefined} only
 * @returns {{ chosen: Step[], unknown: string[] }}
 */
export function chooseSteps(only) {
  if (only === undefined) return { chosen: steps, unknown: [] }
  const names = only.split(',').filter(Boolean)
  const all = [...steps, ...longSteps]
  return {
    chosen: all.filter((step) => names.includes(step.name)),
    unknown: names.filter((name) => !all.some((step) => step.name === name)),
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
 * The failed tests of a step, each with its file and the first lines of what it said, for the end of a long log.
 * @param {Step['runner']} runner
 * @param {unknown} report
 * @returns {string[]}
 */
export function failedTests(runner, report) {
  if (!isRecord(report)) return []
  if (runner === 'vitest') return records(report['testResults']).flatMap(failedOfVitestFile)
  return runner === 'playwright'
    ? records(report['suites']).flatMap((suite) => testsOfPlaywrightSuite(suite, (spec) => spec['ok'] === false))
    : []
}

/**
 * The tests of a step that failed first and passed when tried once more, described as those that failed.
 * @param {Step['runner']} runner
 * @param {unknown} report
 * @returns {string[]}
 */
export function flakyTests(runner, report) {
  if (!isRecord(report)) return []
  if (runner === 'vitest')
    return records(report['testResults']).flatMap((file) =>
      testsOfVitestFile(file, (test) => test['status'] === 'passed' && failureMessages(test).length > 0),
    )
  return runner === 'playwright'
    ? records(report['suites']).flatMap((suite) =>
        testsOfPlaywrightSuite(suite, (spec) => records(spec['tests']).some((test) => test['status'] === 'flaky')),
      )
    : []
}

/**
 * @param {Record<string, unknown>} file
 * @param {(test: Record<string, unknown>) => boolean} which
 * @returns {string[]}
 */
function testsOfVitestFile(file, which) {
  const name = path.relative(root, text(file['name']))
  return records(file['assertionResults'])
    .filter(which)
    .map((test) => describe(name, text(test['fullName']), failureMessages(test)[0]))
}

/**
 * @param {Record<string, unknown>} file
 * @returns {string[]}
 */
function failedOfVitestFile(file) {
  const failed = testsOfVitestFile(file, (test) => test['status'] === 'failed')
  const unread = failed.length === 0 && file['status'] === 'failed'
  return unread ? [describe(path.relative(root, text(file['name'])), '', file['message'])] : failed
}

/**
 * @param {Record<string, unknown>} test
 * @returns {unknown[]}
 */
function failureMessages(test) {
  return Array.isArray(test['failureMessages']) ? test['failureMessages'] : []
}

/**
 * @param {Record<string, unknown>} suite
 * @param {(spec: Record<string, unknown>) => boolean} which
 * @returns {string[]}
 */
function testsOfPlaywrightSuite(suite, which) {
  const here = records(suite['specs'])
    .filter(which)
    .map((spec) => {
      const results = records(spec['tests']).flatMap((test) => records(test['results']))
      const error = results.map((result) => result['error']).find(isRecord)
      return describe(text(spec['file']), text(spec['title']), error?.['message'])
    })
  return [...here, ...records(suite['suites']).flatMap((inner) => testsOfPlaywrightSuite(inner, which))]
}

/**
 * @param {string} file
 * @param {string} title
 * @param {unknown} message
 */
function describe(file, title, message) {
  const lines = stripVTControlCharacters(text(message)).split('\n').slice(0, 6)
  return [title === '' ? file : `${file}: ${title}`, ...lines.map((line) => `    ${line}`)].join('\n')
}

/**
 * @param {unknown} value
 * @returns {Record<string, unknown>[]}
 */
function records(value) {
  return Array.isArray(value) ? value.filter(isRecord) : []
}

/** @param {unknown} value */
function text(value) {
  return typeof value === 'string' ? value : ''
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
