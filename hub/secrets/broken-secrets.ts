import type { Fault } from '../contract/index.ts'
import { BrokenFile } from '../faults.ts'
import { told, type Said } from '../say.ts'

export function broken(file: string, message: string | Said, { cure }: { cure: Said }): BrokenFile {
  const fault: Fault = told({ file, path: '', line: null, column: null, message, cure })
  return new BrokenFile([fault])
}
