import { open, readdir, rm, stat } from 'node:fs/promises'
import path from 'node:path'
import { refusedFolder } from '../start-faults.ts'
import { failedBy, ok, warning, type Found } from './found.ts'

/** Who can read one of these can sign in, or use what servers sign in with. */
const PRIVATE = ['users.json', 'secrets.json', 'jwt-secret']

/**
 * Whether this user may do with the folders what a hub does: by trying, because modes alone do not tell (read-only disks, access
 * lists).
 */
export async function examineFolders(configDir: string, dataDir: string): Promise<Found> {
  const refused = (await tryFolder(dataDir)) ?? (await tryFiles(dataDir))
  if (refused !== null) return refused
  const isThere = (await stat(configDir).catch(() => null)) !== null
  const unsaved = await tryFolder(configDir)
  if (unsaved !== null)
    return isThere ? warning(`${unsaved.message}. A hub starts, and saves no change`, unsaved.cure ?? null) : unsaved
  const readable = await readableByAll([configDir, dataDir])
  if (readable.length > 0)
    return warning(`everybody on this machine may read ${readable.join(', ')}`, `chmod 600 ${readable.join(' ')}`)
  return isThere
    ? ok(`${configDir} and ${dataDir} may be written`)
    : ok(`${dataDir} may be written; ${configDir} is not there, and a start makes it`)
}

/** Null when files can be made in a folder, or the folder itself. */
async function tryFolder(folder: string): Promise<Found | null> {
  const found = await stat(folder).catch((error: unknown) => (error as NodeJS.ErrnoException).code)
  if (found === 'ENOENT' && path.dirname(folder) !== folder) return tryFolder(path.dirname(folder))
  const probe = path.join(folder, `.mcp-hub-doctor-${process.pid}`)
  try {
    await (await open(probe, 'w', 0o600)).close()
    await rm(probe)
    return null
  } catch (error) {
    return refusalOf(error, folder)
  }
}

/** Null when each file in a folder can be read and written. */
async function tryFiles(folder: string): Promise<Found | null> {
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    if (!entry.isFile()) continue
    const file = path.join(folder, entry.name)
    try {
      await (await open(file, 'r+')).close()
    } catch (error) {
      // A hub that runs removes what it is done with.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return refusalOf(error, file)
    }
  }
  return null
}

function refusalOf(error: unknown, place: string): Found {
  const refused = refusedFolder(Object.assign(error as Error, { path: place }))
  if (refused === null) throw error
  return failedBy([refused.fault], refused.exitCode)
}

async function readableByAll(folders: readonly string[]): Promise<string[]> {
  // Windows has no modes.
  if (process.platform === 'win32') return []
  const modeOf = async (file: string): Promise<number> => (await stat(file).catch(() => null))?.mode ?? 0
  const found: string[] = []
  for (const folder of new Set(folders)) {
    if (((await modeOf(folder)) & 0o001) === 0) continue
    for (const file of PRIVATE.map((name) => path.join(folder, name)))
      if (((await modeOf(file)) & 0o004) !== 0) found.push(file)
  }
  return found
}
