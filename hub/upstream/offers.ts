import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { sweepTemporaries, writeFileAtomic } from '../config/atomic-file.ts'
import { parseExactly } from '../contract/exact-json.ts'
import type { ServerConfig } from '../contract/index.ts'
import { isObject } from '../gateway/json-rpc.ts'
import { catalogOfLists, type Catalog, type Item } from './catalog.ts'
import type { ServerHello } from './handshake.ts'

/** What a server said of itself and what it offers. */
export interface Offer {
  hello: ServerHello
  catalog: Catalog
}

/** What servers that start on demand offered last, on disk, so that their tools are listed without starting them. */
export interface Offers {
  /** Null when the entry is another one than then. */
  load: (name: string, config: ServerConfig) => Offer | null
  /** The one that was given last is kept. Rejects when it cannot be written. */
  save: (name: string, config: ServerConfig, offer: Offer) => Promise<void>
  remove: (name: string) => Promise<void>
}

/** What the hub itself wrote; checked by hand, since a schema would cost every start more than all of this. */
function offerIn(text: string): (Offer & { entry: string }) | null {
  const { entry, hello, lists } = parseExactly(text) as { entry?: unknown; hello?: unknown; lists?: unknown }
  if (typeof entry !== 'string' || !isHello(hello) || !isObject(lists)) return null
  const { tools, prompts, resources, resourceTemplates } = lists
  if (!isItems(tools) || !isItems(prompts) || !isItems(resources) || !isItems(resourceTemplates)) return null
  return { entry, hello, catalog: catalogOfLists({ tools, prompts, resources, resourceTemplates }) }
}

function isHello(value: unknown): value is ServerHello {
  return (
    isObject(value) &&
    (value['era'] === 'legacy' || value['era'] === 'modern') &&
    typeof value['version'] === 'string' &&
    isObject(value['capabilities']) &&
    (value['serverInfo'] === null || isObject(value['serverInfo'])) &&
    (value['instructions'] === null || typeof value['instructions'] === 'string')
  )
}

function isItems(value: unknown): value is Item[] {
  return Array.isArray(value) && value.every(isObject)
}

export function createOffers(folder: string): Offers {
  const fileOf = (name: string): string => join(folder, `${digest(name)}.json`)
  let last = sweepTemporaries(folder).catch(() => undefined)

  /** One after the other: else an older offer could come to stand over a newer one, or over none. */
  function inTurn(change: () => Promise<void>): Promise<void> {
    const changed = last.then(change)
    last = changed.catch(() => undefined)
    return changed
  }

  return {
    load: (name, config) => {
      try {
        const offer = offerIn(readFileSync(fileOf(name), 'utf8'))
        return offer?.entry === digestOf(config) ? { hello: offer.hello, catalog: offer.catalog } : null
      } catch {
        return null
      }
    },
    save: (name, config, { hello, catalog }) => {
      const text = JSON.stringify({ entry: digestOf(config), hello, lists: catalog.lists })
      return inTurn(async () => {
        await mkdir(folder, { recursive: true, mode: 0o700 })
        await writeFileAtomic(fileOf(name), text)
      })
    },
    remove: (name) => inTurn(() => rm(fileOf(name), { force: true })),
  }
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 24)

/** What decides what a server offers: its entry without the hub's own options. */
function digestOf({ hub: _hub, ...entry }: ServerConfig): string {
  return digest(JSON.stringify(entry))
}
