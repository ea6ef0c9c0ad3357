import { z } from 'zod'
import { ageRecipientSchema } from './age-recipient.ts'
import { faultSchema } from './problems.ts'
import { wordingsSchema } from './wording.ts'

const domain = z
  .string()
  .toLowerCase()
  .max(253)
  .regex(
    /^(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$/i,
    'a domain name such as hub.example.com',
  )
  // Browsers and clients do not name an IP address in the TLS handshake, so nothing could answer for it.
  .refine((name) => !/(?:^|\.)\d+$/.test(name), 'a domain name such as hub.example.com, not an IP address')

/** What the hubs of a target may use besides themselves; `.env` there says where it is. */
export const targetServices = ['database', 'redis', 'traces', 'sentry'] as const
export type TargetService = (typeof targetServices)[number]

/** Releases of nginx whose directives differ, or that a distribution has. */
export const nginxVersions = ['1.22', '1.24', '1.26', '1.28', '1.30'] as const

const targetShape = z.strictObject({
  domain,
  mode: z.enum(['pm2', 'systemd', 'docker', 'kubernetes']).default('pm2'),
  instances: z.number().int().min(1).max(64).default(1),
  /** First hub port on the target; instance n listens on basePort + n. */
  basePort: z.number().int().min(1024).max(65_000).default(3000),
  httpPort: z.number().int().min(1).max(65_535).default(80),
  httpsPort: z.number().int().min(1).max(65_535).default(443),
  /** Address that nginx listens on; every address of the target when absent. */
  listenAddress: z.union([z.ipv4(), z.ipv6()]).optional(),
  /** The oldest nginx that the target may have: what is written for one is understood by all later ones, with a warning by some. */
  nginxVersion: z.enum(nginxVersions).default('1.22'),
  /** Where the bundle is unpacked on the target. */
  installDir: z
    .string()
    .regex(/^\/[A-Za-z0-9._/-]+$/, 'an absolute path without spaces')
    .default('/opt/mcp-hub'),
  tls: z
    .strictObject({
      certificate: z
        .string()
        .regex(/^\/[A-Za-z0-9._/-]+$/, 'an absolute path')
        .optional(),
      key: z
        .string()
        .regex(/^\/[A-Za-z0-9._/-]+$/, 'an absolute path')
        .optional(),
    })
    .default({}),
  services: z.array(z.enum(targetServices)).max(targetServices.length).default([]),
  /** Whose private keys open the backups that are made on the target; they are not encrypted when there is none. */
  backupRecipients: z.array(ageRecipientSchema).max(16).default([]),
  /** Images of Docker by their content, such as `node:24.21.0-trixie-slim@sha256:…`; of other versions than the bundle's they do nothing. */
  imageDigests: z
    .array(
      z
        .string()
        .max(300)
        .regex(
          /^[a-z0-9][a-z0-9._/-]*:[A-Za-z0-9_][A-Za-z0-9._-]*@sha256:[0-9a-f]{64}$/,
          'an image with version and digest: name:version@sha256: and 64 hexadecimal digits',
        ),
    )
    .max(16)
    .default([]),
  /** `LOG_LEVEL` of each hub; `logging.level` of system.json, which can change while it runs, when absent. */
  logLevel: z.enum(['error', 'warn', 'info', 'debug']).optional(),
})

/** Where a bundle goes. */
export const targetSchema = targetShape.refine(
  ({ instances, services }) => instances === 1 || services.includes('database'),
  {
    path: ['services'],
    message:
      'more than one hub needs the service database (PostgreSQL, DATABASE_URL): with JSON files and SQLite they would overwrite each other’s configuration, and each would have a history of its own',
  },
)
export type Target = z.infer<typeof targetSchema>
export type TargetInput = z.input<typeof targetSchema>

export const publishRequestSchema = z.strictObject({ target: targetSchema })

export const bundleFileSchema = z.object({
  path: z.string(),
  bytes: z.number().int(),
  sha256: z.string(),
  /** Octal file mode as a number, e.g. 0o755. */
  mode: z.number().int(),
  /** Text of a generated file; null for the built hub and web UI. */
  text: z.string().nullable(),
  /** Why this file is there and why it is so. */
  why: z.string(),
})
export type BundleFile = z.infer<typeof bundleFileSchema>

/** Something in the live configuration that will not work, or must be provided, on the target. */
export const findingSchema = z.object({
  severity: z.enum(['error', 'warning', 'info']),
  code: z.enum([
    'local-path',
    'localhost-url',
    'inline-secret',
    'desktop-only',
    'needs-runtime',
    'needs-secret',
    'unpinned',
    'disabled',
  ]),
  server: z.string().nullable(),
  path: z.string(),
  message: z.string(),
  cure: z.string(),
  said: wordingsSchema.optional(),
})
export type Finding = z.infer<typeof findingSchema>

/** A check of an artifact: `passed` only when it really ran. */
export const checkSchema = z.object({
  artifact: z.string(),
  tool: z.string(),
  outcome: z.enum(['passed', 'failed', 'not-checked']),
  message: z.string(),
  fault: faultSchema.nullable(),
  said: wordingsSchema.optional(),
})
export type Check = z.infer<typeof checkSchema>

/** `POST /api/publish/preview` */
export const previewSchema = z.object({
  files: z.array(bundleFileSchema),
  findings: z.array(findingSchema),
  /** Names of the values that the target must provide, with what they are for. */
  secrets: z.array(z.object({ name: z.string(), usedBy: z.string(), generated: z.boolean() })),
  checks: z.array(checkSchema),
  totalBytes: z.number().int(),
})
export type Preview = z.infer<typeof previewSchema>

/** `POST /api/publish/export`: writes the bundle into an empty or new directory. Only for the desktop app's own token and the CLI. */
export const exportRequestSchema = z.strictObject({
  target: targetSchema,
  directory: z.string().min(1),
  overwrite: z.boolean().default(false),
})
export const exportResultSchema = z.object({ directory: z.string(), files: z.number().int(), bytes: z.number().int() })
export type ExportResult = z.infer<typeof exportResultSchema>
