import { z } from 'zod'
import { errorCodes, type ErrorCode } from './errors.ts'
import { meaningSchema } from './meanings.ts'
import { targetSchema } from './publish.ts'
import { wordingsSchema } from './wording.ts'

/**
 * From a bundle to a server over SSH, and back. Every route needs `host:access`: the desktop app's own token.
 *
 * | route | |
 * |---|---|
 * | `GET /api/publish/targets` | `SavedTarget[]` by name |
 * | `GET /api/publish/targets/:name` | `SavedTarget` |
 * | `PUT /api/publish/targets/:name` | `SaveTarget` → `SavedTarget`: creates, replaces or renames |
 * | `DELETE /api/publish/targets/:name` | with its history; nothing happens to the server |
 * | `DELETE /api/publish/targets/:name/host-keys` | forgets the keys that were confirmed for it and its jump host |
 * | `GET /api/publish/targets/:name/history` | `PublishRecord[]`, the newest first, at most 50 |
 * | `GET /api/publish/targets/:name/history/:id` | `PublishRecordDetail` |
 * | `POST /api/publish/targets/:name/plan` | what is there and what a push would change: `RunEvent` by lines |
 * | `POST /api/publish/targets/:name/push` | `PushRequest` → `RunEvent` by lines |
 * | `POST /api/publish/targets/:name/rollback` | `RollbackRequest` → `RunEvent` by lines |
 * | `POST /api/publish/targets/:name/verify` | smoke test, certificate and versions: `RunEvent` by lines |
 * | `POST /api/publish/targets/:name/pull` | takes the server's configuration back: `RunEvent` by lines |
 * | `POST /api/publish/runs/:run/questions/:question` | `RunAnswer` to a question of a run |
 * | `DELETE /api/publish/runs/:run` | cancels a run, which goes on to tell how it ends |
 *
 * A run answers `application/x-ndjson`: `started` first, `result` last. It asks what it needs with `question`. Aborting its
 * request cancels it, too. A cancelled push leaves the release in use that was.
 */

const absolutePath = z.string().max(4_000)

/** How a person proves who they are. A key's passphrase is asked for each time, and is kept nowhere. */
export const sshSignInSchema = z.discriminatedUnion('method', [
  /** The agent of this computer: `SSH_AUTH_SOCK`, or Windows' own. */
  z.strictObject({ method: z.literal('agent') }),
  /** A private key in a file of this computer; `~/` stands for the home folder. */
  z.strictObject({
    method: z.literal('key'),
    file: absolutePath.regex(
      /^(?:~[/\\]|\/|[A-Za-z]:[/\\])[^\0\r\n]+$/,
      'an absolute path, or one that begins with ~/',
    ),
  }),
])
export type SshSignIn = z.infer<typeof sshSignInSchema>

/** One computer that is reached over SSH. */
export const sshHostSchema = z.strictObject({
  host: z
    .string()
    .max(253)
    .regex(/^[A-Za-z0-9:][A-Za-z0-9._:%-]*$/, 'a host name or an IP address'),
  port: z.number().int().min(1).max(65_535).default(22),
  user: z
    .string()
    .max(64)
    .regex(/^[A-Za-z_][A-Za-z0-9_.@-]*$/, 'a user name')
    .default('root'),
  signIn: sshSignInSchema.default({ method: 'agent' }),
})
export type SshHost = z.infer<typeof sshHostSchema>
export type SshHostInput = z.input<typeof sshHostSchema>

/** How a target is reached. */
export const connectionSchema = sshHostSchema.extend({
  /** A computer to go through. */
  jump: sshHostSchema.optional(),
  /** The user is not root, and becomes it with sudo. */
  sudo: z.boolean().default(false),
})
export type Connection = z.infer<typeof connectionSchema>
export type ConnectionInput = z.input<typeof connectionSchema>

export const targetNameSchema = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'a name of up to 64 letters, digits, dots, underscores and hyphens')

/** `PUT /api/publish/targets/:name` */
export const saveTargetSchema = z.strictObject({
  target: targetSchema,
  connection: connectionSchema,
  /** Its new name; its history goes with it. */
  rename: targetNameSchema.optional(),
})
export type SaveTarget = z.infer<typeof saveTargetSchema>
export type SaveTargetInput = z.input<typeof saveTargetSchema>

export const runOperations = ['plan', 'push', 'rollback', 'verify', 'pull'] as const
export type RunOperation = (typeof runOperations)[number]

/** How a run ended: `done`; `rolled-back` is a new release that did not become healthy, with the old one in use again. */
export const runOutcomes = ['done', 'rolled-back', 'failed', 'cancelled'] as const
export type RunOutcome = (typeof runOutcomes)[number]

/** What went wrong, as `problem+json` tells it. */
export const runProblemSchema = z.object({
  code: z.enum(Object.keys(errorCodes) as [ErrorCode, ...ErrorCode[]]),
  detail: z.string(),
  cure: z.string().nullable(),
  said: wordingsSchema.optional(),
})
export type RunProblem = z.infer<typeof runProblemSchema>

/** A push or a rollback that was made, in the history of its target. */
export const publishRecordSchema = z.object({
  id: z.string(),
  /** Milliseconds since the epoch. */
  at: z.number(),
  durationMs: z.number(),
  by: z.string(),
  operation: z.enum(['push', 'rollback']),
  /** The release that was to be used. */
  release: z.string(),
  /** The one that was in use before; null when there was none. */
  before: z.string().nullable(),
  /** The one in use when it had ended; null for none, absent when that could not be found out. */
  inUse: z.string().nullable().optional(),
  outcome: z.enum(runOutcomes),
  problem: runProblemSchema.nullable(),
})
export type PublishRecord = z.infer<typeof publishRecordSchema>

export const savedTargetSchema = z.object({
  name: targetNameSchema,
  target: targetSchema,
  connection: connectionSchema,
  last: publishRecordSchema.nullable(),
})
export type SavedTarget = z.infer<typeof savedTargetSchema>

export const stepStates = ['start', 'ok', 'skipped', 'failed'] as const

/**
 * Steps of a run. Of this hub: `connect inspect check compare confirm lock upload unpack certificate versions save`; of
 * `ops/deploy.sh` on the target: `preflight backup config secrets switch start health smoke rollback`.
 */
export const runStepSchema = z.object({
  step: z.string(),
  state: z.enum(stepStates),
  message: z.string(),
  said: wordingsSchema.optional(),
  /** Milliseconds since the epoch. */
  at: z.number(),
})
export type RunStep = z.infer<typeof runStepSchema>

/** A file that differs between what the server has and what would be there after a push. */
export const fileChangeSchema = z.object({
  path: z.string(),
  kind: z.enum(['added', 'removed', 'changed']),
  /** `config` is what the hubs there use; it need not be what was published. `built` is the program and the web UI. */
  group: z.enum(['config', 'generated', 'built']),
  /** Unified diff of the text; null for a built file, and for one that is too large to be shown. */
  diff: z.string().nullable(),
})
export type FileChange = z.infer<typeof fileChangeSchema>

/** What the server runs against what a push would make it run. */
export const comparisonSchema = z.object({
  /** Null when nothing is installed there. */
  there: z.object({ release: z.string(), version: z.string() }).nullable(),
  here: z.object({ release: z.string(), version: z.string() }),
  files: z.array(fileChangeSchema),
  meanings: z.array(meaningSchema),
})
export type Comparison = z.infer<typeof comparisonSchema>

/** Something that the target must have for its mode. */
export const requirementSchema = z.object({
  name: z.enum(['node', 'nginx', 'pm2', 'docker', 'systemd']),
  /** e.g. `24.21.0`; null when it is not there. */
  found: z.string().nullable(),
  /** e.g. `24`; null when the mode does not need it. */
  needed: z.string().nullable(),
  ok: z.boolean(),
  cure: z.string().nullable(),
  said: wordingsSchema.optional(),
})
export type Requirement = z.infer<typeof requirementSchema>

/** What is there, and what a push would do. */
export const planSchema = z.object({
  release: z.string(),
  /** The release in use, the one before it, and all that are there; null and empty at the first push. */
  inUse: z.string().nullable(),
  previous: z.string().nullable(),
  releases: z.array(z.string()),
  /** Name and version of the system, e.g. `Debian GNU/Linux 12 (bookworm)`. */
  system: z.string().nullable(),
  freeBytes: z.number().int(),
  neededBytes: z.number().int(),
  /** Size of the archive, and how much of it is there already from a push that was cut off. */
  archiveBytes: z.number().int(),
  uploadedBytes: z.number().int(),
  requirements: z.array(requirementSchema),
  /** Files of the configuration that somebody changed there since the last publish. */
  configChanged: z.array(z.string()),
  comparison: comparisonSchema,
  /** Why a push would be refused; empty when it may be made. */
  obstacles: z.array(runProblemSchema),
})
export type Plan = z.infer<typeof planSchema>

/** What is done with a configuration that was changed on the server since the last publish. */
export const configChoices = ['keep', 'replace'] as const
export type ConfigChoice = (typeof configChoices)[number]

/** `POST …/push` */
export const pushRequestSchema = z.strictObject({
  /** Asked for when the configuration there was changed and this is absent. */
  config: z.enum(configChoices).optional(),
})
export type PushRequest = z.infer<typeof pushRequestSchema>

/** `POST …/rollback` */
export const rollbackRequestSchema = z.strictObject({
  /** A release that is still on the target; the one before when absent. */
  release: z
    .string()
    .regex(/^[0-9A-Za-z][0-9A-Za-z.+-]{0,127}$/, 'a release such as 1.2.0-0123abcd')
    .optional(),
})
export type RollbackRequest = z.infer<typeof rollbackRequestSchema>

/** One thing that was looked at by `verify`. */
export const verificationSchema = z.object({
  name: z.enum(['smoke', 'certificate', 'release', 'version', 'requirements', 'configuration']),
  outcome: z.enum(['passed', 'warning', 'failed']),
  message: z.string(),
  cure: z.string().nullable(),
  said: wordingsSchema.optional(),
})
export type Verification = z.infer<typeof verificationSchema>

/** What a pull would change here, by file with diffs and by meaning: `there` is what comes, `here` what it goes to. */
export const pullPlanSchema = z.object({
  files: z.array(fileChangeSchema),
  meanings: z.array(meaningSchema),
})
export type PullPlan = z.infer<typeof pullPlanSchema>

const question = { type: z.literal('question'), question: z.string() }
/** What a run asks. Each kind has one way to be answered (`RunAnswer`). */
export const runQuestionSchema = z.discriminatedUnion('kind', [
  /** A host that was never connected to; `{yes: true}` stores its key. A key that changed is not asked about but refused. */
  z.object({
    ...question,
    kind: z.literal('host-key'),
    hop: z.enum(['target', 'jump']),
    host: z.string(),
    port: z.number().int(),
    /** e.g. `ssh-ed25519` */
    algorithm: z.string(),
    /** As OpenSSH shows it: `SHA256:…` */
    fingerprint: z.string(),
  }),
  /** Of a private key: `{secret}`. */
  z.object({ ...question, kind: z.literal('passphrase'), file: z.string(), wrong: z.boolean() }),
  /** Of the user on the target: `{secret}`. */
  z.object({ ...question, kind: z.literal('sudo-password'), user: z.string(), host: z.string(), wrong: z.boolean() }),
  /** The configuration there was changed since the last publish: `{choice}`. */
  z.object({ ...question, kind: z.literal('config-changed'), files: z.array(fileChangeSchema) }),
  /** `{yes}` */
  z.object({ ...question, kind: z.literal('confirm-push'), plan: planSchema }),
  /** `{yes}` */
  z.object({ ...question, kind: z.literal('confirm-rollback'), from: z.string(), to: z.string() }),
  /** `{yes}` */
  z.object({ ...question, kind: z.literal('confirm-pull'), plan: pullPlanSchema }),
])
export type RunQuestion = z.infer<typeof runQuestionSchema>

/** `POST /api/publish/runs/:run/questions/:question`; `{yes: false}` cancels the run. */
export const runAnswerSchema = z.union([
  z.strictObject({ yes: z.boolean() }),
  z.strictObject({ secret: z.string().max(10_000) }),
  z.strictObject({ choice: z.enum(configChoices) }),
])
export type RunAnswer = z.infer<typeof runAnswerSchema>

export const runResultSchema = z.object({
  type: z.literal('result'),
  operation: z.enum(runOperations),
  outcome: z.enum(runOutcomes),
  /** What is in use on the target now; null when there is nothing, or when that could not be found out (`problem` says so). */
  inUse: z.string().nullable(),
  message: z.string(),
  problem: runProblemSchema.nullable(),
  /** Its id in the history, of a push or rollback that began to change the target. */
  record: z.string().nullable(),
  /** Of `plan` and `push`. */
  plan: planSchema.nullable(),
  /** Of `verify`. */
  verifications: z.array(verificationSchema).nullable(),
  /** Of `pull`: what was changed here. */
  pulled: pullPlanSchema.nullable(),
})
export type RunResult = z.infer<typeof runResultSchema>

/** What a run tells, one a line. */
export const runEventSchema = z.union([
  z.object({ type: z.literal('started'), run: z.string(), operation: z.enum(runOperations) }),
  runStepSchema.extend({ type: z.literal('step') }),
  /** Bytes of the archive that are on the target. */
  z.object({ type: z.literal('progress'), step: z.literal('upload'), done: z.number(), total: z.number() }),
  /** A line of what a script wrote on the target. */
  z.object({ type: z.literal('log'), text: z.string() }),
  runQuestionSchema,
  runResultSchema,
])
export type RunEvent = z.infer<typeof runEventSchema>

/** One publish with all that is kept of it. */
export const publishRecordDetailSchema = publishRecordSchema.extend({
  target: targetSchema,
  steps: z.array(runStepSchema),
  /** Lines of the scripts' output, the last 2,000. */
  log: z.array(z.string()),
  /** The comparison that was confirmed; null for a rollback. */
  comparison: comparisonSchema.nullable(),
  /** `manifest.json` of the bundle, and its generated files; null and empty for a rollback. */
  manifest: z.unknown(),
  files: z.array(z.object({ path: z.string(), text: z.string() })),
})
export type PublishRecordDetail = z.infer<typeof publishRecordDetailSchema>
