import { vi } from 'vitest'

/** Waits until `check` no longer throws: what is waited for must come, not come at once, as a busy machine takes its time. */
export const eventually = (check: () => void): Promise<void> => vi.waitFor(check, 10_000)
