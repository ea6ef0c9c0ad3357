import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { writeFileAtomic } from '../../config/atomic-file.ts'

/** The key that a host shows: its type, and the blob as the protocol sends it. */
export interface HostKey {
  algorithm: string
  blob: Buffer
}

/** `changed`: another key is known for the host. `revoked`: somebody marked the key as no longer to be trusted. */
export type HostKeyState = 'known' | 'unknown' | 'changed' | 'revoked'

export interface KnownHosts {
  check: (host: string, port: number, key: HostKey) => Promise<HostKeyState>
  /** The types of the keys that are known for a host, which it is to be asked for first. */
  algorithms: (host: string, port: number) => Promise<string[]>
  /** Keeps a key that a person confirmed, in the hub's own file. */
  add: (host: string, port: number, key: HostKey) => Promise<void>
  /** Forgets the keys of a host in the hub's own file; the file of the user is theirs. */
  forget: (host: string, port: number) => Promise<void>
}

interface Line {
  hosts: string
  algorithm: string
  key: string
  revoked: boolean
}

/** The fingerprint as OpenSSH shows it. */
export const fingerprintOf = (blob: Buffer): string =>
  `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`

export function hostKeyOf(blob: Buffer): HostKey {
  const length = blob.readUInt32BE(0)
  return { algorithm: blob.toString('latin1', 4, 4 + length), blob }
}

/**
 * Keys of SSH hosts, in OpenSSH's format. `file` is the hub's own; `others`, such as `~/.ssh/known_hosts`, are only read. Both
 * are read each time, because others write them, too.
 */
export function createKnownHosts(
  file: string,
  others: readonly string[] = [join(homedir(), '.ssh', 'known_hosts')],
): KnownHosts {
  async function linesOf(name: string): Promise<string[]> {
    return (await readFile(name, 'utf8').catch(() => '')).split(/\r?\n/)
  }

  async function known(host: string, port: number): Promise<Line[]> {
    const texts = await Promise.all([file, ...others].map(linesOf))
    return texts.flat().flatMap((text) => {
      const line = parseLine(text)
      return line !== null && names(line.hosts, nameOf(host, port)) ? [line] : []
    })
  }

  return {
    check: async (host, port, { blob }) => {
      const lines = await known(host, port)
      const same = lines.filter(({ key }) => key === blob.toString('base64'))
      if (same.some(({ revoked }) => revoked)) return 'revoked'
      if (same.length > 0) return 'known'
      // It is asked for a type that is known first: when it shows another, it has that key no more.
      return lines.some(({ revoked }) => !revoked) ? 'changed' : 'unknown'
    },
    algorithms: async (host, port) =>
      (await known(host, port)).filter(({ revoked }) => !revoked).map(({ algorithm }) => algorithm),
    add: async (host, port, { algorithm, blob }) => {
      const before = (await linesOf(file)).filter((line) => line !== '')
      const line = `${nameOf(host, port)} ${algorithm} ${blob.toString('base64')}`
      await writeFileAtomic(file, [...before, line, ''].join('\n'))
    },
    forget: async (host, port) => {
      const before = await linesOf(file)
      const after = before.filter((text) => {
        const line = parseLine(text)
        return line === null || !names(line.hosts, nameOf(host, port))
      })
      if (after.length !== before.length) await writeFileAtomic(file, after.join('\n'))
    },
  }
}

/** A port that is not the usual one is part of the name. */
const nameOf = (host: string, port: number): string =>
  port === 22 ? host.toLowerCase() : `[${host.toLowerCase()}]:${port}`

function parseLine(text: string): Line | null {
  const words = text.trim().split(/\s+/)
  const marker = words[0]?.startsWith('@') === true ? words.shift() : undefined
  const [hosts, algorithm, key] = words
  // Certificates of hosts are not understood here: such a line makes no host known.
  if (hosts === undefined || hosts.startsWith('#') || key === undefined || marker === '@cert-authority') return null
  return { hosts, algorithm: algorithm ?? '', key, revoked: marker === '@revoked' }
}

/** Whether the first field of a line names a host: hashed, or a list of patterns of which `!` takes some away. */
function names(hosts: string, host: string): boolean {
  const hashed = /^\|1\|([^|]+)\|([^|]+)$/.exec(hosts)
  if (hashed !== null) {
    const [, salt = '', wanted = ''] = hashed
    const made = createHmac('sha1', Buffer.from(salt, 'base64')).update(host).digest()
    const hash = Buffer.from(wanted, 'base64')
    return hash.length === made.length && timingSafeEqual(hash, made)
  }
  const patterns = hosts.toLowerCase().split(',')
  const matches = (pattern: string): boolean =>
    new RegExp(
      `^${pattern
        .replace(/[.+^${}()|[\]\\]/g, '\\$&')
        .replaceAll('*', '.*')
        .replaceAll('?', '.')}$`,
    ).test(host)
  return (
    patterns.some((pattern) => !pattern.startsWith('!') && matches(pattern)) &&
    !patterns.some((pattern) => pattern.startsWith('!') && matches(pattern.slice(1)))
  )
}
