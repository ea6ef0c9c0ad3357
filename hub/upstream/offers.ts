import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { eraSchema, type ServerConfig } from '../contract/index.ts'
import { catalogOfLists, type Catalog } from './catalog.ts'
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
  save: (name: string, config: ServerConfig, offer: Offer) => Promise<void>
  remove: (name: string) => Promise<void>
}

const record = z.record(z.string(), z.unknown())
const items = z.array(record)
const offerSchema = z.object({
  entry: z.string(),
  hello: z.object({
    era: eraSchema,
    version: z.string(),
    capabilities: record,
    serverInfo: record.nullable(),
    instructions: z.string().nullable(),
  }),
  lists: z.object({ tools: items, prompts: items, resources: items, resourceTemplates: items }),
})

export function createOffers(folder: string): Offers {
  const fileOf = (name: string): string => join(folder, `${digest(name)}.json`)

  return {
    load: (name, config) => {
      try {
        const { entry, hello, lists } = offerSchema.parse(JSON.parse(readFileSync(fileOf(name), 'utf8')))
        return entry === digestOf(config) ? { hello, catalog: catalogOfLists(lists) } : null
      } catch {
        return null
      }
    },
    save: async (name, config, { hello, catalog }) => {
      const file = fileOf(name)
      await mkdir(folder, { recursive: true, mode: 0o700 })
      const text = JSON.stringify({ entry: digestOf(config), hello, lists: catalog.lists })
      await writeFile(`${file}.tmp`, text, { mode: 0o600 })
      await rename(`${file}.tmp`, file)
    },
    remove: (name) => rm(fileOf(name), { force: true }),
  }
}

const digest = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 24)

/** What decides what a server offers: its entry without the hub's own options. */
function digestOf({ hub: _hub, ...entry }: ServerConfig): string {
  return digest(JSON.stringify(entry))
}
