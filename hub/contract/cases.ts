import { z } from 'zod'

export const caseMethods = ['tools/call', 'prompts/get', 'resources/read'] as const

/** What of saved cases there may be: all of them are one text, which is written anew with each change. */
export const caseLimits = { nameLength: 100, argumentsLength: 65_536, expectedLength: 262_144, each: 50, all: 1_000 }
const MAX_TARGET = 2_000

function holdsJson(text: string, isRight: (value: unknown) => boolean): boolean {
  try {
    return isRight(JSON.parse(text))
  } catch {
    return false
  }
}

/** JSON as text: a number that a double cannot hold stays what it is. */
const argumentsText = z
  .string()
  .max(caseLimits.argumentsLength)
  .refine(
    (text) => holdsJson(text, (value) => typeof value === 'object' && value !== null && !Array.isArray(value)),
    'must be the text of a JSON object',
  )
const expectedText = z
  .string()
  .max(caseLimits.expectedLength)
  .refine((text) => holdsJson(text, () => true), 'must be the text of a JSON value')
const caseName = z.string().trim().min(1).max(caseLimits.nameLength)
const acceptSecrets = z
  .boolean()
  .optional()
  .describe('Save it though something in it looks like a secret (HUB_SECRET_SUSPECTED).')

const subject = {
  method: z.enum(caseMethods),
  server: z.string().min(1).max(200),
  /** Name of the tool or prompt, URI of the resource or template. */
  target: z.string().min(1).max(MAX_TARGET),
}

/** Arguments of a call that somebody saved under a name. Everybody who may make the call sees it. */
export const savedCaseSchema = z.object({
  id: z.string(),
  ...subject,
  name: z.string(),
  savedBy: z.string(),
  savedAt: z.number(),
  hasExpected: z.boolean(),
  /** Whether the caller may change and delete it: their own, and with profiles:write all. */
  editable: z.boolean(),
})
export type SavedCase = z.infer<typeof savedCaseSchema>

/** `GET /api/cases/:id` */
export const savedCaseDetailSchema = savedCaseSchema.extend({
  /** The text of a JSON object. */
  arguments: z.string(),
  /** The text of the result that later ones are compared with; null when none was saved. */
  expected: z.string().nullable(),
})
export type SavedCaseDetail = z.infer<typeof savedCaseDetailSchema>

/** `GET /api/cases` */
export const casesQuerySchema = z.strictObject({
  method: subject.method.optional(),
  server: subject.server.optional(),
  target: subject.target.optional(),
  /** Only those of calls that no server offers any more, as far as that is known: something was renamed, or is gone. */
  gone: z.literal('true').optional(),
})

/** `POST /api/cases` */
export const saveCaseSchema = z.strictObject({
  ...subject,
  name: caseName,
  arguments: argumentsText,
  expected: expectedText.nullable().optional(),
  acceptSecrets,
})
export type SaveCase = z.input<typeof saveCaseSchema>

/** `PUT /api/cases/:id` changes what is named; with a server or a target the case is one of that call from then on. */
export const editCaseSchema = z.strictObject({
  server: subject.server.optional(),
  target: subject.target.optional(),
  name: caseName.optional(),
  arguments: argumentsText.optional(),
  expected: expectedText.nullable().optional(),
  acceptSecrets,
})
export type EditCase = z.input<typeof editCaseSchema>
