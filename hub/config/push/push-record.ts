import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { ConfigTexts, PushStatus } from '../../contract/index.ts'
import { writeFileAtomic } from '../atomic-file.ts'

const MAX_DECIDED = 20

/** What is needed to take a push back, also after a restart. */
export interface OpenPush {
  status: PushStatus
  before: ConfigTexts
  after: ConfigTexts
  /** Servers that ran before it. */
  ran: string[]
}

/** The push that is not decided yet, and the newest that are; both outlast the process. */
export interface PushRecord {
  readonly open: OpenPush | null
  /** The newest first, without the one that is open. */
  readonly decided: readonly PushStatus[]
  begin: (push: OpenPush) => Promise<void>
  end: (status: PushStatus) => Promise<void>
  /** It never came into force. */
  forget: () => Promise<void>
}

/** There as long as a push is not decided; readable to the hub's user only, since it holds the configuration. */
export const openPushFile = (dataDir: string): string => join(dataDir, 'config-push.json')

export async function openPushRecord(dataDir: string): Promise<PushRecord> {
  const openFile = openPushFile(dataDir)
  const decidedFile = join(dataDir, 'config-pushes.json')
  // Written by this hub or one like it, and by nobody else.
  const read = async <T>(file: string, empty: T): Promise<T> => {
    const text = await readFile(file, 'utf8').catch(() => null)
    return text === null ? empty : (JSON.parse(text) as T)
  }
  let open = await read<OpenPush | null>(openFile, null)
  let decided = await read<PushStatus[]>(decidedFile, [])

  async function forget(): Promise<void> {
    open = null
    await rm(openFile, { force: true })
  }

  return {
    get open() {
      return open
    },
    get decided() {
      return decided
    },
    begin: async (push) => {
      const before = open
      // At once: of two that come together the second finds the first.
      open = push
      await writeFileAtomic(openFile, JSON.stringify(push)).catch((error: unknown) => {
        open = before
        throw error
      })
    },
    end: async (status) => {
      decided = [status, ...decided].slice(0, MAX_DECIDED)
      await writeFileAtomic(decidedFile, JSON.stringify(decided))
      await forget()
    },
    forget,
  }
}
