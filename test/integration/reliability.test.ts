import { expect, it } from 'vitest'
import { CannotMeasure } from '../bench/reliability/row.ts'
import { rows } from '../bench/reliability/rows.ts'

/** The figures of docs/reliability.md that no other test looks at, in short; times are judged by the bench alone. */
const here = ['R3', 'R4', 'R9', 'R13', 'R18', 'R19']

it.for(rows.filter(({ id }) => here.includes(id)))(
  '$id in short: $what',
  { timeout: 60_000 },
  async ({ run }, context) => {
    const outcome = await run({ short: true }).catch((error: unknown) => {
      if (error instanceof CannotMeasure) context.skip(error.message)
      throw error
    })
    expect(outcome, outcome.measured).toMatchObject({ pass: true })
  },
)
