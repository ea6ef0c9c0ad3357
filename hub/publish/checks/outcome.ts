import type { Fault } from '../../contract/index.ts'
import type { Check } from '../../contract/publish.ts'
import { told, type Said } from '../../say.ts'
import type { Bundle } from '../bundle.ts'

/** How long a tool may take for one artifact. */
export const TOOL_TIMEOUT_MS = 10_000

/** A check of one artifact, with a folder of its own to write into. */
export type Checker = (bundle: Bundle, folder: string) => Check | Promise<Check>

export function textOf({ files }: Bundle, artifact: string): string {
  const text = files.find((file) => file.path === artifact)?.text
  if (typeof text !== 'string') throw new Error(`The bundle has no ${artifact}`)
  return text
}

export function passed(artifact: string, tool: string, message: string | Said): Check {
  return told({ artifact, tool, outcome: 'passed', message, fault: null })
}

export function notChecked(artifact: string, tool: string, message: string | Said): Check {
  return told({ artifact, tool, outcome: 'not-checked', message, fault: null })
}

export function failed(
  artifact: string,
  tool: string,
  message: string | Said,
  { cure, ...at }: Omit<Partial<Fault>, 'cure'> & { cure: string | Said },
): Check {
  return told({
    artifact,
    tool,
    outcome: 'failed',
    message,
    fault: { ...told({ file: artifact, path: '', line: null, column: null, message, cure }), ...at },
  })
}
