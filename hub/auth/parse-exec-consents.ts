import { z } from 'zod'
import { programSchema } from '../contract/index.ts'

const fileSchema = z.record(z.string(), z.object({ server: z.string(), program: programSchema }))
export type KeptConsents = z.infer<typeof fileSchema>

/** `exec-consents.json` as text; a broken one is as good as one that agrees to nothing. */
export function parseExecConsents(text: string): KeptConsents {
  try {
    return fileSchema.parse(JSON.parse(text))
  } catch {
    return {}
  }
}
