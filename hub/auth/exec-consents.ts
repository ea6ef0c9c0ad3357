import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { writeFileAtomic } from '../config/atomic-file.ts'
import { isRemote, type ExecConsent, type Program, type ServerConfig } from '../contract/index.ts'
import { HubError } from '../hub-error.ts'
import type { KeptConsents } from './parse-exec-consents.ts'

const MAX_KEPT = 1_000
/** Variables whose value decides what code runs; of all others only the name counts, because values change and are secret. */
const CODE_VARIABLES =
  /^(?:PATH|ENV|BASH_ENV|CLASSPATH|RUBYOPT|RUBYLIB|PERL5\w*|NODE_\w+|PYTHON\w+|\w*JAVA\w*OPTIONS|(?:LD|DYLD|GIT|UV|PIP|npm_config|BUN|DENO)_\w+)$/i

/**
 * The programs that a person agreed to run. An entry that changed in the file without anybody's yes (by another program, a
 * repository's hook, a text that an assistant was led to write) waits for one; what the API saves was agreed to there.
 */
export interface ExecConsents {
  /** Whether an entry may be run. */
  agreed: (config: ServerConfig) => boolean
  agree: (server: string, config: ServerConfig) => Promise<void>
  /** What is asked of a person about an entry. */
  question: (server: string, config: ServerConfig) => ExecConsent
}

export async function openExecConsents(options: {
  file: string
  /** Off where the files are the operator's. */
  needed: () => boolean
  /** Taken for agreed to when nothing was kept yet; null when that cannot be told. */
  present: Readonly<Record<string, ServerConfig>> | null
}): Promise<ExecConsents> {
  const { file, needed, present } = options
  const kept = new Map(Object.entries((await load(file)) ?? {}))

  async function keep(): Promise<void> {
    // The newest are last.
    for (const stamp of [...kept.keys()].slice(0, Math.max(0, kept.size - MAX_KEPT))) kept.delete(stamp)
    await writeFileAtomic(file, JSON.stringify(Object.fromEntries(kept), null, 2), 0o600)
  }

  function note(server: string, config: ServerConfig): void {
    if (isRemote(config)) return
    const stamp = stampOf(config)
    kept.delete(stamp)
    kept.set(stamp, { server, program: programOf(config) })
  }

  if (needed() && present !== null && (await load(file)) === null) {
    for (const [server, config] of Object.entries(present)) note(server, config)
    await keep()
  }

  return {
    agreed: (config) => !needed() || isRemote(config) || kept.has(stampOf(config)),
    agree: async (server, config) => {
      if (!needed() || isRemote(config)) return
      note(server, config)
      await keep()
    },
    question: (server, config) => {
      if (isRemote(config)) throw new HubError('HUB_CONFLICT', `${server} runs no program`)
      const stamp = stampOf(config)
      const before = [...kept.values()].findLast((entry) => entry.server === server)?.program ?? null
      return { needed: needed() && !kept.has(stamp), stamp, now: programOf(config), before }
    },
  }
}

/** Null when there is none. The schema is loaded where there is something to check. */
async function load(file: string): Promise<KeptConsents | null> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  })
  if (text === null) return null
  return (await import('./parse-exec-consents.ts')).parseExecConsents(text)
}

type StdioConfig = Exclude<ServerConfig, { url: string }>

function programOf({ command, args = [], env = {}, cwd, envFile }: StdioConfig): Program {
  return { command, args, variables: Object.keys(env).sort(), cwd: cwd ?? null, envFile: envFile ?? null }
}

function stampOf(config: StdioConfig): string {
  const code = Object.entries(config.env ?? {})
    .filter(([name]) => CODE_VARIABLES.test(name))
    .sort()
  return createHash('sha256')
    .update(JSON.stringify([programOf(config), code]))
    .digest('base64url')
}
