import { readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** Where what a hub has lies. */
export interface HubFolders {
  configDir: string
  dataDir: string
  /** The vault's file; null where the secrets are kept elsewhere, as on the desktop. */
  secretsFile: string | null
  /** Where the sign-ins are when several hubs share them; below `dataDir` otherwise. */
  accountsDir?: string | undefined
}

/** Under this folder everything stands in the archive. */
export const ROOT = 'mcp-hub-backup'
export const MANIFEST = 'manifest.json'

export const CONFIG_FILES = ['servers.json', 'system.json', 'profiles.json', 'users.json'] as const
/** Copied by SQLite itself: what lies in a file is not the whole of an open database. */
export const DATABASES = ['history.db', 'audit.db'] as const
const DATA_FILES = ['pins.json', 'jwt-secret', 'exec-consents.json', 'user-versions.json', 'saved-cases.json'] as const
const DATA_FOLDERS = ['accounts', 'versions'] as const
/** Who is signed in right now lies beside shared accounts, and is of no use to a hub that was put back. */
const SESSIONS = 'identity.db'
const SECRETS = 'data/secrets.json'

/** A dump of PostgreSQL that was handed over, and is handed back to whoever asks: it has no place among the hub's own files. */
export const DUMP = 'database.dump'

/** What may stand in an archive, and nothing else. */
const ALLOWED = new RegExp(
  `^(?:config/(?:${CONFIG_FILES.join('|')})|data/(?:${[...DATABASES, ...DATA_FILES].join('|')})|${SECRETS}|data/(?:${DATA_FOLDERS.join('|')})/[\\w.-]{1,200})$`.replaceAll(
    '.json',
    '\\.json',
  ),
)

export const isMember = (path: string): boolean =>
  path === MANIFEST || path === DUMP || (ALLOWED.test(path) && !path.split('/').includes('..'))

/** Where a member lies on this machine; null for one that has no place here. */
export function placeOf(member: string, folders: HubFolders): string | null {
  if (member === DUMP) return null
  if (member === SECRETS) return folders.secretsFile
  const [top, ...rest] = member.split('/')
  if (top === 'data' && rest[0] === 'accounts' && folders.accountsDir !== undefined)
    return join(folders.accountsDir, ...rest.slice(1))
  return join(top === 'config' ? folders.configDir : folders.dataDir, ...rest)
}

/** What there is to keep; databases among them. */
export async function membersOf(folders: HubFolders): Promise<string[]> {
  const inData = new Set(await readdir(folders.dataDir).catch(() => []))
  const inConfig = new Set(await readdir(folders.configDir))
  const nested = await Promise.all(
    DATA_FOLDERS.map(async (folder) => {
      const place = (folder === 'accounts' ? folders.accountsDir : undefined) ?? join(folders.dataDir, folder)
      const entries = await readdir(place, { withFileTypes: true }).catch(() => [])
      return entries
        .filter((entry) => entry.isFile() && !entry.name.startsWith(SESSIONS))
        .map(({ name }) => `data/${folder}/${name}`)
    }),
  )
  const all = [
    ...CONFIG_FILES.filter((name) => inConfig.has(name)).map((name) => `config/${name}`),
    ...[...DATA_FILES, ...DATABASES].filter((name) => inData.has(name)).map((name) => `data/${name}`),
    ...(folders.secretsFile === null ? [] : [SECRETS]),
    ...nested.flat(),
  ]
  // Temporary files of writers have other names.
  return all.filter(isMember)
}
