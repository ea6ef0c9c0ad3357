import { callResultSchema, completionSchema, type Complete } from '../../../hub/contract/index.ts'
import { request } from '../../lib/client.ts'

/** What a server suggests for an argument; nothing where it has no completion, or does not know. */
export async function complete(body: Complete, signal: AbortSignal): Promise<readonly string[]> {
  const { result } = await request('POST /api/completions', callResultSchema, { body, signal })
  const read = completionSchema.safeParse(result)
  return read.success ? read.data.completion.values : []
}
