import { logLineSchema, type LogLine } from '../contract/index.ts'

/** A line that was cut off when the disk filled up is no line. */
export function parseLine(text: string): LogLine[] {
  try {
    const parsed = logLineSchema.safeParse(JSON.parse(text))
    return parsed.success ? [parsed.data] : []
  } catch {
    return []
  }
}
