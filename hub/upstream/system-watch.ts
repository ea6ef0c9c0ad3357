import { networkInterfaces } from 'node:os'
import type { Clock } from '../clock.ts'

export interface SystemWatchOptions {
  clock: Clock
  /** The addresses that the machine has. */
  addresses?: () => string
  /** It slept, or its network is another one. */
  onChange: () => void
}

const TICK_MS = 5_000
/** A tick that comes so much too late was slept through. */
const SLEPT_MS = 10_000
/** After a sleep the network takes a moment to come back: so often it is looked again at once. */
const AGAIN = 3

/** Tells when connections to other machines may have changed under us. There is no event for it outside of the app. */
export function createSystemWatch({ clock, addresses = ownAddresses, onChange }: SystemWatchOptions): {
  dispose: () => void
} {
  let lastTick = clock.now()
  let lastAddresses = addresses()
  let again = 0
  let cancel: () => void = () => undefined

  function tick(): void {
    const now = clock.now()
    const current = addresses()
    const slept = now - lastTick > TICK_MS + SLEPT_MS
    if (slept || current !== lastAddresses) again = AGAIN
    if (again > 0) {
      again--
      onChange()
    }
    lastTick = now
    lastAddresses = current
    cancel = clock.after(TICK_MS, tick)
  }

  cancel = clock.after(TICK_MS, tick)
  return { dispose: () => cancel() }
}

function ownAddresses(): string {
  return Object.values(networkInterfaces())
    .flatMap((entries) => entries ?? [])
    .filter(({ internal }) => !internal)
    .map(({ cidr }) => cidr)
    .sort()
    .join(' ')
}
