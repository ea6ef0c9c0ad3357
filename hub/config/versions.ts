import { mkdir, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ConfigTexts, ConfigVersion } from '../contract/index.ts'
import { saidOf, told, type Words } from '../say.ts'
import { sweepTemporaries, writeFileAtomic } from './atomic-file.ts'
import { changesBetween } from './changes.ts'

export const KEPT_VERSIONS = 200
const FILE = /^(\d+)\.json$/

export type StoredVersion = ConfigVersion & { files: ConfigTexts }

export interface ConfigVersions {
  /** Keeps what is in force from now on; what is the same as the newest version is none. */
  record: (files: ConfigTexts, by: string | null, reason: Words | null) => Promise<void>
  /** The newest first. */
  list: () => Promise<ConfigVersion[]>
  get: (id: number) => Promise<StoredVersion | null>
}

/**
 * Versions of the configuration, a file each, readable to the hub's user only; the newest 200 are kept. They hold what the
 * files held: references, and whatever somebody left in clear.
 */
export function createConfigVersions(folder: string, onError: (error: unknown) => void): ConfigVersions {
  const fileOf = (id: number): string => join(folder, `${String(id).padStart(6, '0')}.json`)
  let queue: Promise<unknown> = sweepTemporaries(folder)

  async function ids(): Promise<number[]> {
    const names = await readdir(folder).catch(() => [])
    return names
      .flatMap((name) => FILE.exec(name)?.[1] ?? [])
      .map(Number)
      .sort((a, b) => b - a)
  }

  async function get(id: number): Promise<StoredVersion | null> {
    const text = await readFile(fileOf(id), 'utf8').catch(() => null)
    if (text === null) return null
    try {
      // Written by this hub or one like it, and by nobody else.
      return JSON.parse(text) as StoredVersion
    } catch (error) {
      onError(error)
      return null
    }
  }

  async function add(files: ConfigTexts, by: string | null, reason: Words | null): Promise<void> {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    const known = await ids()
    const newest = known[0] === undefined ? null : await get(known[0])
    if (newest !== null && sameTexts(newest.files, files)) return
    const id = (known[0] ?? 0) + 1
    const changes = newest === null ? [] : changesBetween(newest.files, files)
    const version: StoredVersion = told({ id, at: Date.now(), by, reason, changes, files })
    await writeFileAtomic(fileOf(id), JSON.stringify(version))
    for (const old of known.slice(KEPT_VERSIONS - 1)) await rm(fileOf(old), { force: true })
  }

  return {
    record: (files, by, reason) => {
      const work = queue.then(() => add(files, by, reason)).catch(onError)
      queue = work
      return work
    },
    list: async () => {
      await queue
      const found = await Promise.all((await ids()).map(get))
      return found.flatMap((version) => (version === null ? [] : [summary(version)]))
    },
    get,
  }
}

export const sameTexts = (a: ConfigTexts, b: ConfigTexts): boolean =>
  a.servers === b.servers && a.system === b.system && a.profiles === b.profiles

function summary({ id, at, by, reason, changes, said }: StoredVersion): ConfigVersion {
  return { id, at, by, reason, changes, ...saidOf({ said }) }
}
