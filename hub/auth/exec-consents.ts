import { createHash } from 'node:crypto'
import type { KeptText } from '../config/kept-text.ts'
import { isRemote, type ExecConsent, type Program, type ServerConfig } from '../contract/index.ts'
import { HubError } from '../hub-error.ts'
import { say } from '../say.ts'
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
  /** Takes over what is agreed to at other hubs. */
  watch: () => void
  dispose: () => Promise<void>
}

export async function openExecConsents(options: {
  text: KeptText
  /** Off where the files are the operator's. */
  needed: () => boolean
  /** Taken for agreed to when nothing was kept yet; null when that cannot be told. */
  present: Readonly<Record<string, ServerConfig>> | null
  /** Somebody agreed to something at another hub. */
  onChange?: () => void
  onError: (error: unknown) => void
}): Promise<ExecConsents> {
  const { text, needed, present } = options
  const found = await load(await text.read())
  let kept = new Map(Object.entries(found ?? {}))
  let watcher: { close: () => void } | null = null
  let reloading: Promise<void> = Promise.resolve()

  async function keep(entries: readonly (readonly [server: string, config: ServerConfig])[]): Promise<void> {
    await text.change(async (newest) => {
      kept = new Map(Object.entries((await load(newest)) ?? {}))
      for (const [server, config] of entries) {
        if (isRemote(config)) continue
        const stamp = stampOf(config)
        // The newest are last.
        kept.delete(stamp)
        kept.set(stamp, { server, program: programOf(config) })
      }
      for (const stamp of [...kept.keys()].slice(0, Math.max(0, kept.size - MAX_KEPT))) kept.delete(stamp)
      return JSON.stringify(Object.fromEntries(kept), null, 2)
    })
  }

  async function reload(): Promise<void> {
    const before = kept.size
    kept = new Map(Object.entries((await load(await text.read())) ?? {}))
    if (kept.size !== before) options.onChange?.()
  }

  if (needed() && present !== null && found === null) await keep(Object.entries(present))

  return {
    agreed: (config) => !needed() || isRemote(config) || kept.has(stampOf(config)),
    agree: async (server, config) => {
      if (!needed() || isRemote(config)) return
      await keep([[server, config]])
    },
    question: (server, config) => {
      if (isRemote(config)) throw new HubError('HUB_CONFLICT', say`${server} runs no program`)
      const stamp = stampOf(config)
      const before = [...kept.values()].findLast((entry) => entry.server === server)?.program ?? null
      return { needed: needed() && !kept.has(stamp), stamp, now: programOf(config), before }
    },
    watch: () => {
      watcher = text.watch(() => {
        reloading = reloading.then(reload).catch(options.onError)
      })
    },
    dispose: async () => {
      watcher?.close()
      await reloading
    },
  }
}

/** Null when there is none. The schema is loaded where there is something to check. */
async function load(text: string | null): Promise<KeptConsents | null> {
  return text === null ? null : (await import('./parse-exec-consents.ts')).parseExecConsents(text)
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
