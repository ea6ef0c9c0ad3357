import type { DoctorReport, DoctorStepResult, Runtimes } from '../contract/index.ts'

const SIGNS = { ok: '✓', warning: '!', failed: '✗', skipped: '·' } as const

/** A step of any examination. */
export type Step = Pick<DoctorStepResult, 'outcome' | 'durationMs' | 'message' | 'cure' | 'detail'> & { id: string }

/** One line a step, with what was found; the cure below it, and the details of one that failed. */
export function describeSteps(steps: readonly Step[]): string {
  const width = Math.max(...steps.map(({ id }) => id.length))
  const lines = steps.flatMap(({ id, outcome, durationMs, message, cure, detail }) => {
    const time = outcome === 'skipped' ? '' : `${durationMs} ms`
    const more = outcome === 'failed' && detail !== null ? detail.split('\n').map((line) => `      | ${line}`) : []
    return [
      `  ${SIGNS[outcome]} ${id.padEnd(width)} ${time.padStart(8)}  ${message}`,
      ...more,
      ...(cure === null ? [] : [`      → ${cure}`]),
    ]
  })
  return `${lines.join('\n')}\n\n`
}

export function describeReport(report: DoctorReport): string {
  const verdict = report.failed === null ? 'works' : `fails at ${report.failed}`
  return `${report.server}: ${verdict} (${report.target})\n${describeSteps(report.steps)}`
}

export function describeRuntimes({ path, runtimes }: Runtimes): string {
  const from = path.source === 'login-shell' ? (path.shell ?? 'the login shell') : 'the environment'
  const width = Math.max(...runtimes.map(({ command }) => command.length))
  const lines = runtimes.map(({ command, file, version, cure }) => {
    const found = file === null ? 'not installed' : `${version ?? 'unknown version'}  ${file}`
    return `  ${file === null ? '·' : '✓'} ${command.padEnd(width)}  ${found}${file !== null && cure !== null ? `  → ${cure}` : ''}`
  })
  const problem = path.problem === null ? '' : ` (${path.problem})`
  return `PATH from ${from}${problem}: ${path.folders.length} folders\n${lines.join('\n')}\n\n`
}
