import type { Fault } from '../contract/index.ts'
import { BrokenFile } from '../faults.ts'

export function broken(file: string, message: string, { cure }: { cure: string }): BrokenFile {
  const fault: Fault = { file, path: '', line: null, column: null, message, cure }
  return new BrokenFile([fault])
}
