import type { Fault } from './contract/index.ts'

/** EX_CONFIG of sysexits.h: bad configuration, which no restart can cure. */
export const EXIT_CONFIG = 78
/** EX_SOFTWARE of sysexits.h: a fault of the hub. */
export const EXIT_SOFTWARE = 70
/** EX_TEMPFAIL of sysexits.h: what the hub needs is away; to start it again later may help. */
export const EXIT_TEMPORARY = 75
/** EX_NOPERM of sysexits.h. */
export const EXIT_NO_PERMISSION = 77
/** EADDRINUSE: somebody else has the port. */
export const EXIT_PORT_IN_USE = 98

export function describeFault(fault: Fault): string {
  const place = [fault.file, fault.line, fault.column].filter((part) => part !== null).join(':')
  const where = [place, fault.path].filter((part) => part !== '').join(' ')
  return `${where === '' ? '' : `${where}: `}${fault.message}. ${fault.cure}`
}

/** Prints one line per fault and ends. */
export function endOnFaults(faults: readonly Fault[], exitCode = EXIT_CONFIG): never {
  for (const fault of faults) process.stderr.write(`${describeFault(fault)}\n`)
  process.exit(exitCode)
}

/** A file that the hub cannot start with. */
export class BrokenFile extends Error {
  readonly faults: Fault[]
  constructor(faults: Fault[]) {
    super(faults.map(describeFault).join('\n'))
    this.faults = faults
  }
}
