import { takeEnvironment } from '../config/environment.ts'
import { readSettings, type Given } from '../config/read-settings.ts'
import type { Fault } from '../contract/index.ts'
import { describeFault } from '../faults.ts'
import { CommandError, exitCodes, type Io, type Values } from './command.ts'

/** What the command line and the environment set; `values` is the environment with the content of each `…_FILE`. */
export function settingsHere(options: Values, io: Io): { given: Given; values: Readonly<Record<string, string>> } {
  const { values, faults: unread } = takeEnvironment({ ...io.env })
  const { given, faults } = readSettings({ options, environment: values })
  refuseFaults([...unread, ...faults])
  return { given, values }
}

export function refuseFaults(faults: readonly Fault[]): void {
  if (faults.length > 0)
    throw new CommandError(faults.map(describeFault).join('\n'), 'Nothing was done.', exitCodes.config)
}
