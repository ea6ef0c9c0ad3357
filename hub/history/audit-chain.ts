import { createHash } from 'node:crypto'
import type { AuditEntry, AuditVerification } from '../contract/index.ts'
import { say, told, type Said } from '../say.ts'
import { clean } from './clean-text.ts'

/** An act before it has its place in the chain. */
export type AuditAct = Omit<AuditEntry, 'seq' | 'hash'>

/** What the first entry follows on. */
const GENESIS = '0'.repeat(64)
/** The act of deleting the oldest entries: its details say where the chain begins since. */
export const PRUNED = 'audit.pruned'

export interface ChainEnd {
  seq: number
  hash: string
}

/** Puts acts behind the end of the chain (null when there is none yet), with texts as every database gives them back. */
export function chain(end: ChainEnd | null, acts: readonly AuditAct[]): AuditEntry[] {
  let { seq, hash } = end ?? { seq: 0, hash: GENESIS }
  return acts.map(cleaned).map((act) => {
    seq++
    hash = hashOf(hash, { ...act, seq })
    return { ...act, seq, hash }
  })
}

/** What is hashed must be what is stored: names and bodies are what somebody sent, and are cut. */
function cleaned(act: AuditAct): AuditAct {
  return {
    ...act,
    actor: clean(act.actor),
    actorName: clean(act.actorName),
    address: clean(act.address),
    action: clean(act.action),
    target: clean(act.target),
    details: clean(act.details),
    requestId: clean(act.requestId),
  }
}

/** Over the hash before and every field in a fixed order, so that no field can move into its neighbour. */
function hashOf(before: string, entry: Omit<AuditEntry, 'hash'>): string {
  const text = JSON.stringify([
    before,
    entry.seq,
    entry.at,
    entry.actor,
    entry.actorName,
    entry.role,
    entry.address,
    entry.action,
    entry.target,
    entry.outcome,
    entry.status,
    entry.details,
    entry.requestId,
  ])
  return createHash('sha256').update(text).digest('hex')
}

/** Walks the chain, oldest first, and tells the first entry that was changed, put in or taken out. */
export async function verifyChain(entries: AsyncIterable<AuditEntry>): Promise<AuditVerification> {
  let count = 0
  let first: AuditEntry | null = null
  let last: ChainEnd | null = null
  /** Where the chain must begin, by the newest retention that is on record. */
  let pruned: ChainEnd | null = null
  let broken: AuditVerification['broken'] = null
  for await (const entry of entries) {
    count++
    if (first === null) {
      first = entry
      // After a retention the hash before is not here any more; what it was is checked at the end.
      last = entry.seq === 1 ? { seq: 0, hash: GENESIS } : null
    }
    if (broken === null) broken = faultOf(entry, last)
    if (entry.action === PRUNED && entry.actor === 'hub') pruned = parsePruned(entry.details)
    last = { seq: entry.seq, hash: entry.hash }
  }
  if (broken === null && first !== null && first.seq !== 1) {
    if (pruned?.seq !== first.seq - 1)
      broken = fault(first.seq, say`The entries before ${first.seq} are missing, and no retention deleted them`)
    else if (hashOf(pruned.hash, first) !== first.hash)
      broken = fault(first.seq, say`The entry was changed, or does not follow on those that were deleted`)
  }
  return {
    ok: broken === null,
    entries: count,
    head: last?.hash ?? null,
    firstSeq: first?.seq ?? null,
    lastSeq: last?.seq ?? null,
    broken,
  }
}

function faultOf(entry: AuditEntry, before: ChainEnd | null): AuditVerification['broken'] {
  if (before === null) return null
  if (entry.seq !== before.seq + 1)
    return fault(entry.seq, say`Entry ${before.seq + 1} is missing before entry ${entry.seq}`)
  return hashOf(before.hash, entry) === entry.hash
    ? null
    : fault(entry.seq, say`The entry was changed, or the one before it was exchanged`)
}

const fault = (seq: number, message: Said): AuditVerification['broken'] => told({ seq, message })

function parsePruned(details: string | null): ChainEnd | null {
  try {
    const { through, hash } = JSON.parse(details ?? '') as { through?: unknown; hash?: unknown }
    return typeof through === 'number' && typeof hash === 'string' ? { seq: through, hash } : null
  } catch {
    return null
  }
}
