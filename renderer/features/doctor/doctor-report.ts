import type { DoctorReport } from '../../../hub/contract/index.ts'

/** A report as text, for an issue or a colleague. */
export function reportText(report: DoctorReport): string {
  const steps = report.steps.flatMap(({ id, outcome, durationMs, message, cure, detail }) => [
    `${outcome.padEnd(7)} ${id.padEnd(13)} ${String(durationMs).padStart(6)} ms  ${message}`,
    ...(cure === null ? [] : [`        → ${cure}`]),
    ...(outcome === 'failed' && detail !== null ? detail.split('\n').map((line) => `        | ${line}`) : []),
  ])
  return [`${report.server} (${report.platform}): ${report.target}`, ...steps, ''].join('\n')
}
