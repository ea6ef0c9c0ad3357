import { readFileSync, realpathSync, statSync, unwatchFile, watchFile } from 'node:fs'
import { basename, isAbsolute, relative, resolve, sep } from 'node:path'
import { MAX_SECRET_LENGTH } from '../contract/index.ts'

/** Secrets that the operator gives: `NAME`, or the file that `NAME_FILE` names, as Docker and Kubernetes mount them. */
export interface EnvironmentSecrets {
  get: (name: string) => string | undefined
  /** Why `NAME_FILE` gives no value; null when it is not set. */
  explain: (name: string) => string | null
  onChange: (listener: (names: string[]) => void) => void
  dispose: () => void
}

const POLL_MS = 1_000

/** Variables of the hub and of the system whose names end in _FILE and mean another thing. */
const OTHER_FILES = new Set(['LOG', 'SSL_CERT', 'MCP_HUB_SECRETS'])

export function createEnvironmentSecrets(env: (name: string) => string | undefined): EnvironmentSecrets {
  const files = new Map<string, { path: string; value: string | undefined; problem: string | null }>()
  const listeners: ((names: string[]) => void)[] = []

  function fileOf(name: string): { value: string | undefined; problem: string | null } {
    const known = files.get(name)
    if (known !== undefined) return known
    // A line of .env that was left empty is a variable that is not set.
    const path = /^[A-Za-z_]\w*$/.test(name) && !OTHER_FILES.has(name) ? env(`${name}_FILE`) || undefined : undefined
    if (path === undefined) return { value: undefined, problem: null }
    const read = { path, ...readSecretFile(path) }
    files.set(name, read)
    // Kubernetes replaces a link on the way to the file, which only a look at intervals sees.
    watchFile(path, { interval: POLL_MS, persistent: false }, reread)
    // Its first look comes after the read, and would take a change in between for how it always was.
    setTimeout(reread, POLL_MS).unref()
    return read
  }

  function reread(): void {
    const changed: string[] = []
    for (const [name, { path, value }] of files) {
      const next = readSecretFile(path)
      files.set(name, { path, ...next })
      if (next.value !== value) changed.push(name)
    }
    if (changed.length > 0) for (const listener of listeners) listener(changed)
  }

  return {
    get: (name) => env(name) || fileOf(name).value,
    explain: (name) => fileOf(name).problem,
    onChange: (listener) => void listeners.push(listener),
    dispose: () => {
      for (const { path } of files.values()) unwatchFile(path, reread)
    },
  }
}

/** The one line (or key) of a secret's file; the line break that editors and `echo` put at the end is not part of it. */
export function readSecretFile(path: string): { value: string | undefined; problem: string | null } {
  try {
    const { size } = statSync(path)
    if (size > MAX_SECRET_LENGTH * 4)
      return {
        value: undefined,
        problem: `${path} has ${size} bytes; a secret has at most ${MAX_SECRET_LENGTH} characters`,
      }
    const value = readFileSync(path, 'utf8').replace(/\r?\n$/, '')
    return value === '' ? { value: undefined, problem: `${path} is empty` } : { value, problem: null }
  } catch (error) {
    return {
      value: undefined,
      problem: `${path} cannot be read: ${(error as NodeJS.ErrnoException).code ?? String(error)}`,
    }
  }
}

/** What the hub itself writes, whatever folder it is in: who may change a server's entry need not be who may read these. */
const OWN_FILES = new Set([
  '.env',
  'audit.db',
  'config-push.json',
  'config-pushes.json',
  'exec-consents.json',
  'history.db',
  'identity.db',
  'jwt-secret',
  'pins.json',
  'processes.json',
  'profiles.json',
  'pushes.json',
  'saved-cases.json',
  'secrets.json',
  'servers.json',
  'setup-code',
  'system.json',
  'user-versions.json',
  'users.json',
])
/** Below the folder of the data. */
const OWN_FOLDERS = new Set(['accounts', 'backups', 'logs', 'offers', 'publish', 'versions'])

/**
 * Reads only files below these folders, none of the hub's own, and nothing below `dataDir`, which may be in one of them: who may
 * change a server's entry need not be who may read every file of the hub.
 */
export function readFileBelow(
  folders: readonly string[],
  dataDir: string | null = null,
): (path: string) => { value: string | undefined; problem: string | null } {
  return (path) => {
    const real = realPathOf(path)
    const around = folders.map(realPathOf).filter((folder) => isBelow(folder, real))
    if (around.length === 0)
      return { value: undefined, problem: `only files below ${folders.join(', ')} may be referred to here` }
    const data = dataDir === null ? null : realPathOf(dataDir)
    // In a folder that is itself part of it, or the same, what is the hub's is known by names alone.
    const isKept = data !== null && isBelow(data, real) && !around.some((one) => one === data || isBelow(data, one))
    return isKept || isOwn(basename(real)) || (data !== null && OWN_FOLDERS.has(topOf(data, real)))
      ? { value: undefined, problem: `${path} is a file of the hub itself; put the value into a file of its own` }
      : readSecretFile(path)
  }
}

/** Also with what was in it before the last save, what SQLite keeps beside it, and on disks to which upper case is the same. */
function isOwn(name: string): boolean {
  return OWN_FILES.has(name.toLowerCase().replace(/(?:\.bak|-wal|-shm|-journal|:.*)$/, ''))
}

/** The first step of the way from a folder to a file below it. */
function topOf(folder: string, real: string): string {
  return (relative(folder, real).split(sep)[0] ?? '').toLowerCase()
}

function isBelow(folder: string, real: string): boolean {
  const way = relative(folder, real)
  // Kubernetes mounts a file as a link into a folder beside it, whose name begins with two dots.
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way)
}

/** Where Docker, Kubernetes and systemd put secrets. */
export function secretFolders(env: (name: string) => string | undefined): string[] {
  return ['/run/secrets', ...[env('CREDENTIALS_DIRECTORY')].filter((folder) => folder !== undefined)]
}

function realPathOf(path: string): string {
  try {
    // The other one keeps the case that was asked for, where the disk has another.
    return realpathSync.native(path)
  } catch {
    return resolve(path)
  }
}
