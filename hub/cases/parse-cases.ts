import { z } from 'zod'
import { brokenFile } from '../broken-file.ts'
import { caseMethods } from '../contract/index.ts'
import { HubError } from '../hub-error.ts'
import { say } from '../say.ts'

const recordSchema = z.object({
  id: z.string(),
  method: z.enum(caseMethods),
  server: z.string(),
  target: z.string(),
  name: z.string(),
  arguments: z.string(),
  expected: z.string().nullable(),
  /** The user, or the credential that is no user's. */
  owner: z.string(),
  savedBy: z.string(),
  savedAt: z.number(),
})
export type CaseRecord = z.infer<typeof recordSchema>

const fileSchema = z.object({ version: z.literal(1), cases: z.array(recordSchema) })

/** `saved-cases.json` as text. */
export function parseCases(text: string, place: string): CaseRecord[] {
  try {
    return fileSchema.parse(JSON.parse(text)).cases
  } catch (error) {
    throw new HubError('HUB_CONFIG_FILE_BROKEN', brokenFile(place, error), {
      cure: say`Restore it from a backup, or move it away: then there are no saved cases.`,
    })
  }
}
