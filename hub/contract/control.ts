import { z } from 'zod'
import { faultSchema } from './errors.ts'
import { overviewSchema } from './hub.ts'

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
  paths: z.object({ configDir: z.string(), dataDir: z.string(), webDir: z.string() }),
  /** Values of `${secret:NAME}`. */
  secrets: z.record(z.string(), z.string()),
  appVersion: z.string(),
})
export type Hello = z.infer<typeof helloSchema>

export const toHubSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ping'), n: z.number().int() }),
  z.object({ type: z.literal('shutdown') }),
])
export type ToHub = z.infer<typeof toHubSchema>

export const fromHubSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ready'), apiPort: z.number().int() }),
  z.object({ type: z.literal('pong'), n: z.number().int() }),
  z.object({ type: z.literal('overview'), overview: overviewSchema }),
  /** The configuration cannot be used at all; the process exits with 78 after it. */
  z.object({ type: z.literal('fatal'), faults: z.array(faultSchema) }),
])
export type FromHub = z.infer<typeof fromHubSchema>
