import { z } from 'zod'
import { faultSchema } from './problems.ts'
import { reasonSchema, serverStateSchema } from './servers.ts'
import { wordingsSchema } from './wording.ts'

/** The address that MCP clients use. On the desktop it never moves by itself: clients hold its URL. */
export const endpointSchema = z.object({
  state: z.enum(['listening', 'port-in-use', 'failed', 'starting']),
  /** e.g. `http://127.0.0.1:3737/mcp` */
  url: z.string(),
  port: z.number().int(),
  /** Who holds the port, when it is taken and the system tells: `node (pid 4711)`. */
  takenBy: z.string().nullable(),
  message: z.string().nullable(),
  said: wordingsSchema.optional(),
})
export type Endpoint = z.infer<typeof endpointSchema>

/** `GET /api/hub` */
export const hubStatusSchema = z.object({
  version: z.string(),
  mode: z.enum(['desktop', 'server']),
  pid: z.number().int(),
  startedAt: z.number(),
  nodeVersion: z.string(),
  endpoint: endpointSchema,
  /** `none` means that /mcp asks for no token (loopback only). */
  mcpAuth: z.enum(['token', 'none']),
  configDir: z.string(),
  /** Faults of the files on disk; while there are any the last good configuration is in force. */
  configFaults: z.array(faultSchema),
  /** Settings of system.json that take effect after a restart of the hub, e.g. `server.port`. */
  restartNeeded: z.array(z.string()),
  sessions: z.number().int(),
  rssBytes: z.number().int(),
})
export type HubStatus = z.infer<typeof hubStatusSchema>

/** `POST /api/hub/endpoint`: tries the port again, or moves to another and keeps it in system.json. Desktop only. */
export const moveEndpointSchema = z.strictObject({ port: z.number().int().min(1024).max(65_535).optional() })

/** What main needs for the tray; sent over the control port at every change. */
export const overviewSchema = z.object({
  endpoint: endpointSchema,
  configFaults: z.number().int(),
  servers: z.array(z.object({ name: z.string(), state: serverStateSchema, reason: reasonSchema.nullable() })),
  /** Servers whose account needs a person. */
  signIns: z.array(z.string()),
  /** With the path of each one's endpoint, e.g. `/mcp/work`. */
  profiles: z.array(z.object({ name: z.string(), endpointPath: z.string() })),
})
export type Overview = z.infer<typeof overviewSchema>

/** `POST /api/diagnostics/cpu-profile` */
export const cpuProfileOptionsSchema = z.strictObject({
  /** Less than the minute that a proxy usually waits for an answer. */
  seconds: z.number().min(1).max(30),
})

/** A `Profiler.Profile` of the DevTools protocol; times are microseconds. */
export const cpuProfileSchema = z.object({
  nodes: z.array(z.object({ id: z.number(), callFrame: z.object({ functionName: z.string(), url: z.string() }) })),
  startTime: z.number(),
  endTime: z.number(),
  samples: z.array(z.number()).optional(),
  timeDeltas: z.array(z.number()).optional(),
})
export type CpuProfile = z.infer<typeof cpuProfileSchema>
