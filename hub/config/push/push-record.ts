import type { ConfigTexts, PushStatus } from '../../contract/index.ts'
import { HubError } from '../../hub-error.ts'
import { say } from '../../say.ts'
import type { KeptText } from '../kept-text.ts'

const MAX_DECIDED = 20

/** What is needed to take a push back, also after a restart or at another hub. */
export interface OpenPush {
  status: PushStatus
  before: ConfigTexts
  after: ConfigTexts
  /** Servers that ran before it. */
  ran: string[]
}

interface Watched extends OpenPush {
  /** The hub that watches it, and how often that one said that it is there. */
  watcher: string
  beat: number
}

interface Kept {
  open: Watched | null
  decided: PushStatus[]
}

/** The push that is not decided yet, and the newest that are: they outlast the process, and hubs with one database share them. */
export interface PushRecord {
  /** As read or written last. */
  readonly open: OpenPush | null
  /** The newest first, without the one that is open. */
  readonly decided: readonly PushStatus[]
  /** Whether this hub watches the one that is open. */
  readonly isMine: boolean
  /** Another one while the hub that watches is there. */
  readonly pulse: string
  load: () => Promise<void>
  /** Throws HUB_CONFLICT while another one is open. */
  begin: (push: OpenPush) => Promise<void>
  /** Says that this hub is there and what it knows; false when another one watches, or nobody any more. */
  keep: (push: OpenPush) => Promise<boolean>
  /** Watches in the place of the hub with this pulse; false when that one is there, or a third was quicker. */
  takeOver: (pulse: string) => Promise<boolean>
  /** False when this hub does not watch it any more: whoever does decides. */
  end: (status: PushStatus) => Promise<boolean>
  /** It never came into force. */
  forget: () => Promise<void>
}

export async function openPushRecord(text: KeptText, self: string): Promise<PushRecord> {
  let known = parse(await text.read())

  /** False when `by` has nothing to change. */
  async function change(by: (now: Kept) => Kept | null): Promise<boolean> {
    let changed = false
    await text.change((now) => {
      known = parse(now)
      const next = by(known)
      changed = next !== null
      if (next !== null) known = next
      return Promise.resolve(next === null ? (now ?? '') : JSON.stringify(next))
    })
    return changed
  }
  const mine = (by: (now: Kept, open: Watched) => Kept): Promise<boolean> =>
    change((now) => (now.open?.watcher === self ? by(now, now.open) : null))
  const pulseOf = ({ open }: Kept): string => (open === null ? '' : `${open.status.id} ${open.watcher} ${open.beat}`)

  return {
    get open() {
      return known.open
    },
    get decided() {
      return known.decided
    },
    get isMine() {
      return known.open?.watcher === self
    },
    get pulse() {
      return pulseOf(known)
    },
    load: async () => {
      known = parse(await text.read())
    },
    begin: async (push) => {
      await change((now) => {
        if (now.open !== null) throw stillWatched(now.open)
        return { ...now, open: { ...push, watcher: self, beat: 0 } }
      })
    },
    keep: (push) => mine((now, { beat }) => ({ ...now, open: { ...push, watcher: self, beat: beat + 1 } })),
    takeOver: (pulse) =>
      change((now) =>
        now.open !== null && pulseOf(now) === pulse ? { ...now, open: { ...now.open, watcher: self } } : null,
      ),
    end: (status) => mine(({ decided }) => ({ open: null, decided: [status, ...decided].slice(0, MAX_DECIDED) })),
    forget: async () => {
      await mine(({ decided }) => ({ open: null, decided }))
    },
  }
}

/** A record with what is to be watched, by no hub yet, and decided besides what it has. */
export function withOld(text: string | null, open: OpenPush | null, decided: PushStatus[]): string {
  const now = parse(text)
  const known = new Set(now.decided.map(({ id }) => id))
  const all = [...now.decided, ...decided.filter(({ id }) => !known.has(id))].sort((a, b) => b.at - a.at)
  const kept: Kept = {
    // Decided meanwhile, e.g. by the hub that took it over before it went away.
    open: now.open ?? (open === null || known.has(open.status.id) ? null : { ...open, watcher: '', beat: 0 }),
    decided: all.slice(0, MAX_DECIDED),
  }
  return JSON.stringify(kept)
}

/** Written by this hub or one like it, and by nobody else. */
function parse(text: string | null): Kept {
  return text === null || text === '' ? { open: null, decided: [] } : (JSON.parse(text) as Kept)
}

function stillWatched({ status: { by, until } }: OpenPush): HubError {
  return new HubError('HUB_CONFLICT', say`What ${by} pushed is still being watched`, {
    cure: say`Wait until ${new Date(until).toISOString()}, and read the configuration again.`,
  })
}
