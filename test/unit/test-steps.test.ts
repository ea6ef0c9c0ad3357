import { describe, expect, it } from 'vitest'
import { chooseSteps, countStep, failedTests, flakyTests, steps, type Step } from '../../scripts/lib/test-steps.mjs'

const named = (name: string): Step => steps.find((step) => step.name === name)!

describe('npm test', () => {
  it('runs the chosen steps in their own order and names those it does not know', () => {
    const { chosen, unknown } = chooseSteps('unit,lint,nonsense')
    expect(chosen.map(({ name }) => name)).toEqual(['lint', 'unit'])
    expect(unknown).toEqual(['nonsense'])
    expect(chooseSteps(undefined).chosen.map(({ name }) => name)).not.toContain('bundle-long')
    expect(chooseSteps('bundle-long').chosen).toHaveLength(1)
  })

  it('ends within half an hour, though every tests step hang', () => {
    const minutes = steps.filter((step) => step.runner !== null).reduce((sum, step) => sum + step.minutes, 0)
    expect(minutes).toBeLessThanOrEqual(31)
  })

  it('counts a check without tests as one', () => {
    expect(countStep(named('lint'), true, null)).toEqual({ passed: 1, failed: 0, skipped: 0 })
    expect(countStep(named('lint'), false, null)).toEqual({ passed: 0, failed: 1, skipped: 0 })
  })

  it('counts the tests of a report', () => {
    const vitest = { numPassedTests: 7, numFailedTests: 2, numPendingTests: 1, numTodoTests: 0 }
    expect(countStep(named('unit'), false, vitest)).toEqual({ passed: 7, failed: 2, skipped: 1 })
    const playwright = { stats: { expected: 3, flaky: 0, unexpected: 1, skipped: 2 } }
    expect(countStep(named('web'), false, playwright)).toEqual({ passed: 3, failed: 1, skipped: 2 })
  })

  it('fails when the runner does, though every test passed or no report was written', () => {
    expect(countStep(named('unit'), false, { numPassedTests: 7, numFailedTests: 0 }).failed).toBe(1)
    expect(countStep(named('desktop'), false, null).failed).toBe(1)
  })

  it('names what failed, and what it said, from a report of either runner', () => {
    const vitest = {
      testResults: [
        {
          name: `${process.cwd()}/test/unit/a.test.ts`,
          status: 'failed',
          assertionResults: [
            { status: 'passed', fullName: 'a works' },
            { status: 'failed', fullName: 'a breaks', failureMessages: ['\u001b[31mno\u001b[39m\n at a'] },
          ],
        },
        {
          name: `${process.cwd()}/test/unit/b.test.ts`,
          status: 'failed',
          message: 'cannot load',
          assertionResults: [],
        },
      ],
    }
    expect(failedTests('vitest', vitest)).toEqual([
      'test/unit/a.test.ts: a breaks\n    no\n     at a',
      'test/unit/b.test.ts\n    cannot load',
    ])
    const spec = (title: string, ok: boolean): object => ({
      title,
      file: 'web/a.spec.ts',
      ok,
      tests: [{ results: [ok ? {} : { error: { message: 'timed out' } }] }],
    })
    const playwright = { suites: [{ specs: [spec('one', true)], suites: [{ specs: [spec('two', false)] }] }] }
    expect(failedTests('playwright', playwright)).toEqual(['web/a.spec.ts: two\n    timed out'])
    expect(failedTests('vitest', null)).toEqual([])
  })

  it('names what passed only when it was tried once more', () => {
    const vitest = {
      testResults: [
        {
          name: `${process.cwd()}/test/integration/a.test.ts`,
          status: 'passed',
          assertionResults: [
            { status: 'passed', fullName: 'a works', failureMessages: [] },
            { status: 'passed', fullName: 'a races', failureMessages: ['too early'] },
            { status: 'failed', fullName: 'a breaks', failureMessages: ['no', 'no'] },
          ],
        },
      ],
    }
    expect(flakyTests('vitest', vitest)).toEqual(['test/integration/a.test.ts: a races\n    too early'])
    const spec = (title: string, status: string): object => ({
      title,
      file: 'web/a.spec.ts',
      ok: status !== 'unexpected',
      tests: [{ status, results: status === 'expected' ? [{}] : [{ error: { message: 'timed out' } }, {}] }],
    })
    const playwright = {
      suites: [{ specs: ['expected', 'flaky', 'unexpected'].map((status) => spec(status, status)) }],
    }
    expect(flakyTests('playwright', playwright)).toEqual(['web/a.spec.ts: flaky\n    timed out'])
    expect(flakyTests('vitest', null)).toEqual([])
  })
})
