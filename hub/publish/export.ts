import { randomBytes } from 'node:crypto'
import { copyFile, chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import type { ExportResult } from '../contract/publish.ts'
import { HubError } from '../hub-error.ts'
import { say, type Said } from '../say.ts'
import { MANIFEST, type BundleEntry } from './bundle.ts'
import { SIGNATURE } from './signature.ts'

const manifestSchema = z.object({ generator: z.literal('mcp-hub'), files: z.record(z.string(), z.unknown()) })
const CHECKSUMS = 'SHA256SUMS'

/** Writes the bundle beside its place and moves it there in one step, so that the folder holds all of it or is as it was. */
export async function exportBundle(
  files: readonly BundleEntry[],
  directory: string,
  overwrite: boolean,
): Promise<ExportResult> {
  const place = path.resolve(directory)
  const before = await contentOf(place)
  if (before !== null && before.length > 0) await assertReplaceable(place, before, overwrite)

  const suffix = `${process.pid}-${randomBytes(4).toString('hex')}`
  const fresh = `${place}.new-${suffix}`
  try {
    await mkdir(path.dirname(place), { recursive: true })
    for (const file of files) {
      const to = path.join(fresh, ...file.path.split('/'))
      await mkdir(path.dirname(to), { recursive: true })
      if (file.text === null) await copyFile(file.source, to)
      else await writeFile(to, file.text, { flush: true })
      await chmod(to, file.mode)
    }
    if (before === null) await rename(fresh, place)
    else await swap(fresh, place, `${place}.old-${suffix}`)
  } catch (error) {
    await rm(fresh, { recursive: true, force: true })
    throw reasonFor(error)
  }
  return { directory: place, files: files.length, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0) }
}

async function swap(fresh: string, place: string, aside: string): Promise<void> {
  await rename(place, aside)
  try {
    await rename(fresh, place)
  } catch (error) {
    await rename(aside, place)
    throw error
  }
  await rm(aside, { recursive: true, force: true })
}

/** Null when there is nothing at that place. */
async function contentOf(place: string): Promise<string[] | null> {
  try {
    const entries = await readdir(place, { recursive: true, withFileTypes: true })
    return entries
      .filter((entry) => !entry.isDirectory())
      .map((entry) => path.relative(place, path.join(entry.parentPath, entry.name)).split(path.sep).join('/'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR')
      throw refused(say`${place} is a file.`, say`Choose a folder.`)
    throw reasonFor(error)
  }
}

async function assertReplaceable(place: string, present: string[], overwrite: boolean): Promise<void> {
  const manifest = present.includes(MANIFEST)
    ? manifestSchema.safeParse(parseJson(await readFile(path.join(place, MANIFEST), 'utf8')))
    : null
  if (manifest?.success !== true)
    throw refused(say`${place} is not empty and holds no bundle.`, say`Choose a new or empty folder.`)
  if (!overwrite)
    throw refused(say`${place} holds a bundle already.`, say`Choose another folder, or allow it to be replaced.`)
  const strangers = present.filter(
    (name) => !Object.hasOwn(manifest.data.files, name) && ![MANIFEST, CHECKSUMS, SIGNATURE].includes(name),
  )
  if (strangers.length > 0)
    throw refused(
      say`${place} holds files that are not part of the bundle and would be lost: ${strangers.slice(0, 5).join(', ')}${strangers.length > 5 ? ' …' : ''}.`,
      say`Move them away, or choose another folder.`,
    )
}

function refused(message: Said, cure: Said): HubError {
  return new HubError('HUB_CONFLICT', message, { cure })
}

/** What the system said, as something that a person can act on. */
function reasonFor(error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return refused(say`The disk is full: ${message}`, say`Make room, or choose a folder on another disk.`)
  if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
    return refused(say`The folder cannot be written: ${message}`, say`Choose a folder that is yours.`)
  return error
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}
