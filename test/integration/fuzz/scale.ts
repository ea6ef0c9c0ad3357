/** `npm run fuzz` sends the full number, with a seed of its own each time; `npm test` a part, always the same. */
export const isFull = process.env['MCP_HUB_FUZZ'] === 'long'
export const seed = Number(process.env['FUZZ_SEED'] ?? (isFull ? Date.now() % 1_000_000_000 : 20_260_728))

/** Inputs for each endpoint. */
export const inputCount = Number(process.env['FUZZ_INPUTS'] ?? (isFull ? 100_000 : 800))

/** For all of them together; a machine may have other work too. */
export const timeout = isFull ? 3_600_000 : 60_000

/** What fast-check printed of a failure, to see it again: `FUZZ_SEED=… FUZZ_PATH=…`. */
export const replay = process.env['FUZZ_PATH'] === undefined ? {} : { path: process.env['FUZZ_PATH'] }

/** A failure that is a wait is long to make smaller: after this time what was found so far is shown. */
export const SHRINK_MS = 120_000
