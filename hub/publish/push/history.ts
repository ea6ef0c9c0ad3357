import { randomBytes } from 'node:crypto'
import { readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileAtomic } from '../../config/atomic-file.ts'
import {
  publishRecordDetailSchema,
  publishRecordSchema,
  type PublishRecord,
  type PublishRecordDetail,
} from '../../contract/push.ts'
import { HubError } from '../../hub-error.ts'
import { say } from '../../say.ts'

export const KEPT_PUBLISHES = 50
const FILE = /^(\d{13}-[0-9a-f]{8})\.json$/

export interface PublishHistory {
  /** Keeps a publish, and forgets those of its target beyond the newest 50. */
  add: (target: string, detail: PublishRecordDetail) => Promise<void>
  /** The newest first. */
  list: (target: string) => Promise<PublishRecord[]>
  newest: (target: string) => Promise<PublishRecord | null>
  get: (target: string, id: string) => Promise<PublishRecordDetail>
  moved: (from: string, to: string) => Promise<void>
  forget: (target: string) => Promise<void>
}

/** By its beginning, ids are in the order of time. */
export const publishId = (at: number): string => `${String(at).padStart(13, '0')}-${randomBytes(4).toString('hex')}`

/** What was published where: a file each, readable to the hub's user only. It holds generated files and no secrets. */
export function createPublishHistory(folder: string): PublishHistory {
  const folderOf = (target: string): string => join(folder, 'history', target)

  async function ids(target: string): Promise<string[]> {
    const names = await readdir(folderOf(target)).catch(() => [])
    return names
      .flatMap((name) => FILE.exec(name)?.[1] ?? [])
      .sort()
      .reverse()
  }

  /** What cannot be read is as good as gone: it is no reason to publish no more. */
  async function read(target: string, id: string): Promise<PublishRecordDetail | null> {
    try {
      return publishRecordDetailSchema.parse(JSON.parse(await readFile(join(folderOf(target), `${id}.json`), 'utf8')))
    } catch {
      return null
    }
  }

  async function summaries(target: string, wanted: string[]): Promise<PublishRecord[]> {
    const found = await Promise.all(wanted.map((id) => read(target, id)))
    return found.flatMap((detail) => (detail === null ? [] : [publishRecordSchema.parse(detail)]))
  }

  return {
    add: async (target, detail) => {
      await writeFileAtomic(join(folderOf(target), `${detail.id}.json`), JSON.stringify(detail))
      for (const old of (await ids(target)).slice(KEPT_PUBLISHES))
        await rm(join(folderOf(target), `${old}.json`), { force: true })
    },
    list: async (target) => summaries(target, await ids(target)),
    newest: async (target) => (await summaries(target, (await ids(target)).slice(0, 1)))[0] ?? null,
    get: async (target, id) => {
      const found = FILE.test(`${id}.json`) ? await read(target, id) : null
      if (found === null)
        throw new HubError('HUB_PUBLISH_NOT_FOUND', say`The history of ${target} has no publish ${id}`)
      return found
    },
    moved: async (from, to) => {
      await rename(folderOf(from), folderOf(to)).catch((error: unknown) => {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      })
    },
    forget: (target) => rm(folderOf(target), { recursive: true, force: true }),
  }
}
