import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import type { BundleFile } from '../contract/publish.ts'
import { HubError } from '../hub-error.ts'
import { say, type Said } from '../say.ts'

/** A file of the bundle that is copied from the built program. */
export interface BuiltFile extends BundleFile {
  text: null
  /** Where it lies on this computer. */
  source: string
}

/** The built hub and web UI below `distDir`, in the order of their names. A hub that runs from a bundle has its web UI in `web`. */
export async function listBuiltFiles(distDir: string): Promise<BuiltFile[]> {
  const hub = await filesBelow(path.join(distDir, 'hub'))
  if (!hub.includes('server.js')) throw notBuilt(say`${path.join(distDir, 'hub', 'server.js')} is missing.`)
  const webDir = await firstWithIndex([path.join(distDir, 'renderer'), path.join(distDir, 'web')])
  const web = await filesBelow(webDir)
  const describe = async (folder: string, root: string, name: string, why: string): Promise<BuiltFile> => {
    const source = path.join(root, ...name.split('/'))
    return { path: `${folder}/${name}`, ...(await digest(source)), mode: 0o644, text: null, why, source }
  }
  return Promise.all([
    ...hub.map((name) =>
      describe(
        'hub',
        path.join(distDir, 'hub'),
        name,
        name === 'sbom.cdx.json'
          ? 'The packages that the program is built from (CycloneDX).'
          : 'The built hub; it needs nothing but Node.',
      ),
    ),
    ...web.map((name) => describe('web', webDir, name, 'The built web UI, served by nginx.')),
  ])
}

/** Slash-separated names of all files but source maps, which nothing on a target reads. */
async function filesBelow(root: string, folder = ''): Promise<string[]> {
  // Folder by folder: inside an app's archive Electron does not read them recursively.
  const entries = await readdir(path.join(root, folder), { withFileTypes: true }).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return []
    throw error
  })
  const names = await Promise.all(
    entries.map(async (entry) => {
      const name = folder === '' ? entry.name : `${folder}/${entry.name}`
      if (entry.isDirectory()) return filesBelow(root, name)
      return entry.isFile() && !name.endsWith('.map') ? [name] : []
    }),
  )
  return names.flat().sort()
}

async function firstWithIndex(candidates: string[]): Promise<string> {
  for (const candidate of candidates) if ((await filesBelow(candidate)).includes('index.html')) return candidate
  throw notBuilt(say`No built web UI (index.html) in ${candidates.join(' or ')}.`)
}

function notBuilt(message: Said): HubError {
  return new HubError('HUB_INTERNAL', message, { cure: say`Build the program first: npm run build` })
}

async function digest(file: string): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of createReadStream(file) as AsyncIterable<Buffer>) {
    hash.update(chunk)
    bytes += chunk.length
  }
  return { bytes, sha256: hash.digest('hex') }
}
