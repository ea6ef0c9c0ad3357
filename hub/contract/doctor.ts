import { z } from 'zod'
import { serverConfigSchema } from './config.ts'
import { eraSchema, reasonSchema } from './servers.ts'
import { wordingsSchema } from './wording.ts'

/** In the order in which they are taken; a local server has the first group, a remote one the second, both the last. */
export const doctorSteps = [
  'configuration',
  'path',
  'executable',
  'version',
  'spawn',
  'first-bytes',

  'resolve',
  'connect',
  'tls',
  'http',
  'auth',

  'handshake',
  'era',
  'tools',
] as const
export const doctorStepSchema = z.enum(doctorSteps)
export type DoctorStepId = z.infer<typeof doctorStepSchema>

export const doctorStepResultSchema = z.object({
  id: doctorStepSchema,
  /** `skipped`: not reached, or it means nothing here; `message` says which. */
  outcome: z.enum(['ok', 'warning', 'failed', 'skipped']),
  durationMs: z.number(),
  /** What was found. */
  message: z.string(),
  /** What to do, after a failure or a warning. */
  cure: z.string().nullable(),
  detail: z.string().nullable(),
  said: wordingsSchema.optional(),
})
export type DoctorStepResult = z.infer<typeof doctorStepResultSchema>

/** `POST /api/servers/:name/doctor`: with `config` for an entry that is not saved (yet). */
export const doctorRequestSchema = z.strictObject({ config: serverConfigSchema.optional() })

export const doctorReportSchema = z.object({
  server: z.string(),
  ok: z.boolean(),
  startedAt: z.number(),
  durationMs: z.number(),
  transport: z.enum(['stdio', 'http', 'sse']),
  target: z.string(),
  platform: z.string(),
  steps: z.array(doctorStepResultSchema),
  /** The first step that failed. */
  failed: doctorStepSchema.nullable(),
  reason: reasonSchema.nullable(),
  era: eraSchema.nullable(),
  /** The last lines that it wrote on stderr. */
  stderr: z.array(z.string()),
})
export type DoctorReport = z.infer<typeof doctorReportSchema>

/** One line of the answer as `application/x-ndjson`: what is to come, each step as it ends, and the report at last. */
export const doctorProgressSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('expected'), steps: z.array(doctorStepSchema) }),
  z.object({ type: z.literal('step'), step: doctorStepResultSchema }),
  z.object({ type: z.literal('report'), report: doctorReportSchema }),
])
export type DoctorProgress = z.infer<typeof doctorProgressSchema>

/** `GET /api/runtimes`: the PATH that servers get, and the programs that they are commonly started with. */
export const runtimesSchema = z.object({
  path: z.object({
    folders: z.array(z.string()),
    source: z.enum(['login-shell', 'environment']),
    shell: z.string().nullable(),
    durationMs: z.number(),
    readAt: z.number(),
    problem: z.string().nullable(),
  }),
  runtimes: z.array(
    z.object({
      command: z.string(),
      name: z.string(),
      /** Null when it is not in PATH. */
      file: z.string().nullable(),
      version: z.string().nullable(),
      /** What to do, when it is missing or too old. */
      cure: z.string().nullable(),
      said: wordingsSchema.optional(),
    }),
  ),
})
export type Runtimes = z.infer<typeof runtimesSchema>
