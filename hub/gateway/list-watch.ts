import { createHash } from 'node:crypto'
import { listKinds, type ListKind } from '../upstream/catalog.ts'
import type { View, Viewer } from './view.ts'

/** Templates have no notification of their own. */
const changeMethod: Record<ListKind, string> = {
  tools: 'notifications/tools/list_changed',
  prompts: 'notifications/prompts/list_changed',
  resources: 'notifications/resources/list_changed',
  resourceTemplates: 'notifications/resources/list_changed',
}

/** Sessions outlast lists: each keeps what tells its list from another, not the list. */
const digests = new WeakMap<Buffer, string>()

function digestOf(list: Buffer): string {
  const known = digests.get(list)
  if (known !== undefined) return known
  const digest = createHash('sha256').update(list).digest('base64')
  digests.set(list, digest)
  return digest
}

/** What a client knows of the lists of its endpoint: it is told of what changed to it, and of that once. */
export class ListWatch {
  readonly #view: View
  readonly #viewer: Viewer
  readonly #known = new Map<ListKind, string>()

  constructor(view: View, viewer: Viewer) {
    this.#view = view
    this.#viewer = viewer
  }

  /** The client was given this list. */
  served(kind: ListKind, list: Buffer): void {
    this.#known.set(kind, digestOf(list))
  }

  /** From now on the client can be told: what it was not given yet it will find as it is now. Returns what it has missed. */
  begin(kinds: readonly ListKind[] = listKinds): string[] {
    const missed = this.changes(kinds.filter((kind) => this.#known.has(kind)))
    this.changes(kinds)
    return missed
  }

  /** The notifications that are due because these lists may have changed. */
  changes(kinds: readonly ListKind[]): string[] {
    const due = new Set<string>()
    for (const kind of kinds) {
      const list = this.#view.listNow(kind, this.#viewer)
      const digest = list === null ? null : digestOf(list)
      if (digest === null || digest === this.#known.get(kind)) continue
      this.#known.set(kind, digest)
      due.add(changeMethod[kind])
    }
    return [...due]
  }
}
