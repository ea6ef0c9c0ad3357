import type { Fault } from '../contract/index.ts'
import { describeFault, EXIT_CONFIG } from '../faults.ts'
import type { Step } from './doctor-text.ts'

/** What a look at something found; `exitCode` is what a start would end with. */
export type Found = Pick<Step, 'outcome' | 'message'> & {
  cure?: string | null
  detail?: string | null
  exitCode?: number
}

export const ok = (message: string): Found => ({ outcome: 'ok', message })
export const skipped = (message: string): Found => ({ outcome: 'skipped', message })
export const warning = (message: string, cure: string | null): Found => ({ outcome: 'warning', message, cure })

/** One fault with its cure, or how many there are, each with its own. */
export function failedBy(faults: readonly Fault[], exitCode: number = EXIT_CONFIG): Found {
  const [first] = faults
  if (first !== undefined && faults.length === 1)
    return { outcome: 'failed', message: placeAndMessage(first), cure: first.cure, exitCode }
  return {
    outcome: 'failed',
    message: `${faults.length} faults`,
    cure: 'Correct each of them; a hub does not start before.',
    detail: faults.map(describeFault).join('\n'),
    exitCode,
  }
}

const placeAndMessage = (fault: Fault): string => describeFault({ ...fault, cure: '' }).replace(/^: |\. $/g, '')
