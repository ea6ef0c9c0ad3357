import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { profileSummarySchema, toolEntrySchema } from '../../hub/contract/index.ts'
import { shapeOf } from '../../renderer/lib/shape.ts'

/** One field of each kind that answers of the hub have. */
const schema = z.object({
  text: z.string(),
  on: z.boolean(),
  size: z.number(),
  count: z.number().int(),
  kind: z.enum(['one', 'two']),
  mark: z.literal('a'),
  none: z.null(),
  whatever: z.unknown(),
  maybe: z.string().optional(),
  orNull: z.number().nullable(),
  list: z.array(z.string()),
  byName: z.record(z.string(), z.number()),
  within: z.object({ text: z.string() }),
  either: z.union([z.string(), z.object({ text: z.string() })]),
  short: z.string().min(1).max(2),
  few: z.array(z.string()).min(1).max(2),
  pattern: z.string().regex(/^a/),
  refined: z.string().refine((text) => text !== 'one'),
  strict: z.strictObject({ text: z.string().optional() }),
  byShort: z.record(z.string().max(2), z.number()),
})
const right: Record<string, readonly unknown[]> = {
  text: ['', 'a'],
  on: [true, false],
  size: [0, 1.5],
  count: [0, -7],
  kind: ['one', 'two'],
  mark: ['a'],
  none: [null],
  whatever: [null, 'a', [1], {}],
  maybe: ['a'],
  orNull: [null, 1.5],
  list: [[], ['a', 'b']],
  byName: [{}, { a: 1, b: 2.5 }],
  within: [{ text: 'a' }, { text: 'a', more: 1 }],
  either: ['a', { text: 'a' }],
  short: ['a', 'ab'],
  few: [['a'], ['a', 'b']],
  pattern: ['a', 'ab'],
  refined: ['', 'a'],
  strict: [{}, { text: 'a' }],
  byShort: [{}, { ab: 1 }],
}
const anything = [
  null,
  true,
  0,
  1.5,
  1e300,
  'a',
  'one',
  [],
  ['a'],
  [1],
  ['a', 'b', 'c'],
  {},
  { a: 'b' },
  { one: 1 },
  { text: 1 },
  { text: 'a' },
]

describe('the shape of a schema', () => {
  it('is found in a value exactly where the schema takes it', () => {
    const shape = shapeOf(schema)
    expect(shape).not.toBeNull()
    const answer = fc
      .record(Object.fromEntries(Object.entries(right).map(([name, values]) => [name, fc.constantFrom(...values)])))
      .chain((value) =>
        fc.record({
          value: fc.constant(value),
          name: fc.constantFrom(...Object.keys(right), 'unheard'),
          other: fc.constantFrom(...anything),
          act: fc.constantFrom('keep', 'drop', 'put'),
        }),
      )
      .map(({ value, name, other, act }) => {
        const { [name]: _old, ...rest } = value
        return act === 'keep' ? value : act === 'drop' ? rest : { ...rest, [name]: other }
      })
    fc.assert(
      fc.property(answer, (value) => {
        expect(shape?.(value)).toBe(schema.safeParse(value).success)
      }),
      { numRuns: 1_000 },
    )
  })

  it('is known of what lists are made of', () => {
    expect(shapeOf(z.array(toolEntrySchema))).not.toBeNull()
    expect(shapeOf(z.array(profileSummarySchema))).not.toBeNull()
  })

  it.each([
    ['a default', z.string().default('a')],
    ['a transformation', z.string().transform(Number)],
    ['what is trimmed', z.string().trim()],
    ['a limit of a number', z.number().max(2)],
    ['a format', z.url()],
    ['a check that says more', z.string().superRefine((_value, context) => context.addIssue('no'))],
    ['other keys of a kind', z.object({}).catchall(z.string())],
    ['keys of a kind', z.record(z.enum(['a']), z.string())],
    ['what comes later', z.lazy(() => z.string())],
  ])('is not known of %s, wherever it is', (_what, part) => {
    expect(shapeOf(part)).toBeNull()
    expect(shapeOf(z.object({ list: z.array(z.object({ part: part.optional() })) }))).toBeNull()
  })
})
