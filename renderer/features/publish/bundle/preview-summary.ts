import type { Preview } from '../../../../hub/contract/index.ts'

type Tone = 'ok' | 'warn' | 'bad' | null
interface Part {
  readonly count: number
  readonly tone: Tone
}

export interface PreviewSummary {
  readonly findings: Part
  readonly files: Part
  readonly checks: Part & { readonly passed: number }
  readonly secrets: Part
}

/** How a preview turned out, in numbers. Checks are only well when nothing failed and something really ran. */
export function previewSummary({ findings, files, checks, secrets }: Preview): PreviewSummary {
  const passed = checks.filter(({ outcome }) => outcome === 'passed').length
  const failed = checks.some(({ outcome }) => outcome === 'failed')
  const worst = findings.some(({ severity }) => severity === 'error')
    ? 'bad'
    : findings.some(({ severity }) => severity === 'warning')
      ? 'warn'
      : 'ok'
  return {
    findings: { count: findings.length, tone: worst },
    files: { count: files.length, tone: null },
    checks: { count: checks.length, passed, tone: failed ? 'bad' : passed > 0 ? 'ok' : 'warn' },
    secrets: { count: secrets.length, tone: null },
  }
}
