import { z } from 'zod'
import type { ClientSessionRecord } from './cluster.ts'

/** A longer one is not kept: what a client says of itself must not fill the store. */
export const MAX_RECORD_BYTES = 65_536

/** What is not known here was written by a newer hub, and is left out. */
const schema = z.object({
  version: z.string(),
  capabilities: z.record(z.string(), z.unknown()),
  clientInfo: z.unknown().optional(),
  logLevel: z.string().nullable(),
  subscriptions: z.array(z.string()),
})

/** The record as it is kept; null for one that is too long. */
export function textOfRecord(record: ClientSessionRecord): string | null {
  const text = JSON.stringify(record)
  return Buffer.byteLength(text) > MAX_RECORD_BYTES ? null : text
}

/** The record that was kept; null for what is none, as if nothing had been kept. */
export function recordOfText(text: string): ClientSessionRecord | null {
  try {
    return schema.safeParse(JSON.parse(text)).data ?? null
  } catch {
    return null
  }
}
