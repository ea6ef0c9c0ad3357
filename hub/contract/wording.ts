import { z } from 'zod'

/**
 * What a text of the hub was made of. `code` is the English with `{0}`, `{1}`, … where the parameters stand, as gettext has
 * it: a page that knows the code in its language words the text anew, any other shows it as it came.
 */
export interface Wording {
  code: string
  /** A parameter may be words of the hub, too. */
  params: (string | Wording)[]
}
export const wordingSchema: z.ZodType<Wording> = z.object({
  code: z.string(),
  params: z.array(z.union([z.string(), z.lazy(() => wordingSchema)])),
})

/** Beside texts of the hub: the wording of each, by the name of its field. */
export const wordingsSchema = z.record(z.string(), wordingSchema)
export type Wordings = z.infer<typeof wordingsSchema>
