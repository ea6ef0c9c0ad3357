import type { Comparison, Plan, RunEvent, RunResult } from '../contract/push.ts'
import type { ErrorCode } from '../contract/errors.ts'
import type { Io } from './command.ts'

/** How a run ended, as an exit code. They are in docs/publishing.md. */
export const runExitCodes = {
  ok: 0,
  /** `diff`: there are differences; `verify`: something is wrong. */
  differs: 1,
  rolledBack: 75,
  cancelled: 130,
} as const

const failureCodes: Partial<Record<ErrorCode, number>> = {
  HUB_BAD_REQUEST: 64,
  HUB_TARGET_NOT_FOUND: 64,
  HUB_INVALID_CONFIG: 65,
  HUB_TARGET_UNREACHABLE: 68,
  HUB_TARGET_UNFIT: 69,
  HUB_DEPLOY_FAILED: 70,
  HUB_TARGET_BUSY: 72,
  HUB_TARGET_CHANGED: 73,
  HUB_HOST_KEY_REFUSED: 76,
  HUB_TARGET_SIGN_IN_FAILED: 77,
  HUB_CONFIG_FILE_BROKEN: 78,
}

export function exitCodeOf(result: RunResult, differs: boolean): number {
  if (result.outcome === 'rolled-back') return runExitCodes.rolledBack
  if (result.outcome === 'cancelled') return runExitCodes.cancelled
  if (result.problem !== null) return failureCodes[result.problem.code] ?? 70
  return differs ? runExitCodes.differs : runExitCodes.ok
}

/** Tells a run as it goes, for people: each step with its end, and the upload in tenths. */
export function tellTo(io: Io): (event: RunEvent) => void {
  let tenth = 0
  return (event) => {
    if (event.type === 'log') io.err(`    ${event.text}\n`)
    else if (event.type === 'progress') {
      const now = Math.floor((event.done / Math.max(event.total, 1)) * 10)
      if (now > tenth) io.err(`    ${now * 10} %\n`)
      tenth = now
    } else if (event.type === 'step') {
      const sign = { start: '==>', ok: '  ✓', skipped: '  -', failed: '  ✗' }[event.state]
      io.err(`${sign} ${event.step}: ${event.message}\n`)
    }
  }
}

export function describePlan({ inUse, release, freeBytes, neededBytes, comparison, obstacles }: Plan): string {
  return [
    `In use there: ${inUse ?? 'nothing'}. To be pushed: ${release}.`,
    `Disk: ${(freeBytes / 1_000_000).toFixed(0)} MB free, ${(neededBytes / 1_000_000).toFixed(0)} MB needed.`,
    ...comparison.meanings.map(({ message }) => `  ${message}`),
    ...filesOf(comparison, false),
    ...obstacles.map(({ detail, cure }) => `Obstacle: ${detail}. ${cure ?? ''}`),
    '',
  ].join('\n')
}

/** Each file that differs, with its diff where there is one. Of the built program only the number is of interest. */
export function filesOf({ files }: Comparison, withDiffs: boolean): string[] {
  const built = files.filter(({ group }) => group === 'built').length
  const signs = { added: '+', removed: '-', changed: '~' }
  return [
    ...files
      .filter(({ group }) => group !== 'built')
      .flatMap(({ kind, path, diff }) => [`${signs[kind]} ${path}`, ...(withDiffs && diff !== null ? [diff] : [])]),
    ...(built === 0 ? [] : [`~ ${built} files of the program and its web UI`]),
  ]
}
