import { z } from 'zod'
import { faultSchema } from './problems.ts'
import { overviewSchema } from './hub.ts'
import { vaultQualitySchema } from './secrets.ts'

/** The handshake between main and the hub's utility process. Secrets travel here, never in argv or the environment. */
export const CONTROL_PROTOCOL = 1

/** First message to `process.parentPort`; it carries the MessagePort on which all others travel. */
export const helloSchema = z.object({
  type: z.literal('hello'),
  protocol: z.literal(CONTROL_PROTOCOL),
  /** Bearer token of the app's own calls to `/api`; new for each start. */
  bootToken: z.string().min(32),
  /** Bearer token of MCP clients on this computer; kept in the vault. */
  clientToken: z.string().min(32),
  paths: z.object({ configDir: z.string(), dataDir: z.string(), webDir: z.string(), logDir: z.string() }),
  /** Values of `${secret:NAME}`, and how and where main keeps them. */
  secrets: z.record(z.string(), z.string()),
  vault: z.object({ quality: vaultQualitySchema, location: z.string() }),
  appVersion: z.string(),
})
export type Hello = z.infer<typeof helloSchema>

export const toHubSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ping'), n: z.number().int() }),
  z.object({ type: z.literal('shutdown') }),
  /** Answers `secret.keep`; with what went wrong when the value was not kept. */
  z.object({ type: z.literal('secret.kept'), n: z.number().int(), problem: z.string().nullable() }),
])
export type ToHub = z.infer<typeof toHubSchema>

export const fromHubSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ready'), apiPort: z.number().int() }),
  z.object({ type: z.literal('pong'), n: z.number().int() }),
  z.object({ type: z.literal('overview'), overview: overviewSchema }),
  /** Main keeps this secret, or forgets it when the value is null, and answers with `secret.kept`. */
  z.object({ type: z.literal('secret.keep'), n: z.number().int(), name: z.string(), value: z.string().nullable() }),
  /** The configuration cannot be used at all; the process exits with 78 after it. */
  z.object({ type: z.literal('fatal'), faults: z.array(faultSchema) }),
])
export type FromHub = z.infer<typeof fromHubSchema>
