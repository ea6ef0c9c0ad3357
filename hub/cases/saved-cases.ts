import { randomBytes } from 'node:crypto'
import type { KeptText } from '../config/kept-text.ts'
import { caseLimits } from '../contract/index.ts'
import { HubError } from '../hub-error.ts'
import { say } from '../say.ts'
import { parseCases, type CaseRecord } from './parse-cases.ts'

export type { CaseRecord } from './parse-cases.ts'
export type NewCase = Omit<CaseRecord, 'id' | 'savedAt'>
export type CaseChanges = Partial<Pick<CaseRecord, 'server' | 'target' | 'name' | 'arguments' | 'expected'>>

const MAX_BYTES = 8 * 1_048_576

/** Arguments of calls that people saved: in `DATA_DIR/saved-cases.json`, or with other hubs in PostgreSQL. */
export interface SavedCases {
  /** As it is now, whoever wrote it. */
  all: () => Promise<CaseRecord[]>
  add: (added: NewCase) => Promise<CaseRecord>
  /** `check` sees the case as it is now and may throw. One that is moved to another call keeps its name if that is free there. */
  edit: (id: string, changes: CaseChanges, check: (found: CaseRecord) => void) => Promise<CaseRecord>
  remove: (id: string, check: (found: CaseRecord) => void) => Promise<void>
  /** A server has another name, and its cases with it. One whose name a case there has already gets a number. */
  moveServer: (from: string, to: string) => Promise<void>
}

export function createSavedCases(options: { text: KeptText; place: string; now?: () => number }): SavedCases {
  const { text, place, now = Date.now } = options
  const parse = (found: string | null): CaseRecord[] => (found === null || found === '' ? [] : parseCases(found, place))
  /** Changes of this hub come one after the other; what another one wrote meanwhile, the kept text notices. */
  let queue: Promise<unknown> = Promise.resolve()

  function change<T>(work: (cases: CaseRecord[]) => T): Promise<T> {
    const done = queue.then(async () => {
      let result!: T
      await text.change((found) => {
        const cases = parse(found)
        result = work(cases)
        return Promise.resolve(written(cases))
      })
      return result
    })
    queue = done.catch(() => undefined)
    return done
  }

  return {
    all: async () => parse(await text.read()),
    add: (added) =>
      change((cases) => {
        checkRoom(cases, added)
        checkName(cases, added, null)
        const made = { ...added, id: randomBytes(9).toString('base64url'), savedAt: now() }
        cases.push(made)
        return made
      }),
    edit: (id, changes, check) =>
      change((cases) => {
        const at = indexOf(cases, id)
        const next = { ...(cases[at] as CaseRecord), ...changes, savedAt: now() }
        check(cases[at] as CaseRecord)
        if (!isOf(next, cases[at] as CaseRecord)) {
          checkRoom(cases.toSpliced(at, 1), next)
          if (changes.name === undefined) next.name = freeName(cases, next)
        }
        checkName(cases, next, id)
        cases[at] = next
        return next
      }),
    remove: (id, check) =>
      change((cases) => {
        const at = indexOf(cases, id)
        check(cases[at] as CaseRecord)
        cases.splice(at, 1)
      }),
    moveServer: (from, to) =>
      change((cases) => {
        for (const one of cases.filter(({ server }) => server === from)) {
          one.server = to
          one.name = freeName(cases, one)
        }
      }),
  }
}

export function caseNotFound(id: string): HubError {
  return new HubError('HUB_CASE_NOT_FOUND', say`There is no saved case ${id}`, {
    cure: say`GET /api/cases lists them.`,
  })
}

function indexOf(cases: readonly CaseRecord[], id: string): number {
  const at = cases.findIndex((one) => one.id === id)
  if (at === -1) throw caseNotFound(id)
  return at
}

type Subject = Pick<CaseRecord, 'method' | 'server' | 'target'>

const isOf = (one: Subject, other: Subject): boolean =>
  one.method === other.method && one.server === other.server && one.target === other.target

function checkRoom(cases: readonly CaseRecord[], added: Subject): void {
  const cure = say`Delete some, or overwrite one.`
  if (cases.filter((one) => isOf(one, added)).length >= caseLimits.each)
    throw new HubError('HUB_CONFLICT', say`${added.target} has ${caseLimits.each} saved cases, and not more`, { cure })
  if (cases.length >= caseLimits.all)
    throw new HubError('HUB_CONFLICT', say`The hub keeps ${caseLimits.all} saved cases, and not more`, { cure })
}

function checkName(cases: readonly CaseRecord[], saved: Subject & { name: string }, id: string | null): void {
  if (cases.some((one) => one.id !== id && one.name === saved.name && isOf(one, saved)))
    throw new HubError('HUB_NAME_COLLISION', say`${saved.target} has a case named ${saved.name} already`, {
      cure: say`Choose another name, or overwrite that one.`,
    })
}

/** Where a server of that name was before, its cases are still there. */
function freeName(cases: readonly CaseRecord[], moved: CaseRecord): string {
  const taken = new Set(cases.filter((one) => one.id !== moved.id && isOf(one, moved)).map(({ name }) => name))
  let name = moved.name
  for (let n = 2; taken.has(name); n++) {
    const mark = ` (${n})`
    name = moved.name.slice(0, caseLimits.nameLength - mark.length) + mark
  }
  return name
}

function written(cases: readonly CaseRecord[]): string {
  const text = `${JSON.stringify({ version: 1, cases })}\n`
  if (Buffer.byteLength(text) > MAX_BYTES)
    throw new HubError('HUB_CONFLICT', say`All saved cases together take more than ${MAX_BYTES} bytes`, {
      cure: say`Delete some, or save this one without its result.`,
    })
  return text
}
