import { appendFile, mkdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { LogLine } from '../contract/index.ts'

export interface LogFileOptions {
  file: string
  /** A file is put aside when it is larger. */
  maxBytes: number
  /** Files kept, the current one among them. */
  maxFiles: number
}

/** Log lines as JSON lines on disk, in a few files of bounded size. What cannot be written is not kept: a full disk ends no server. */
export interface LogFile {
  append: (lines: readonly LogLine[]) => void
  /** The files' lines as text, the newest file first, each from its oldest line on. */
  read: () => AsyncGenerator<string[]>
  flush: () => Promise<void>
  remove: () => Promise<void>
}

const numberedFile = (file: string, index: number): string => (index === 0 ? file : `${file}.${index}`)

/** Puts a full file aside as `file.1`, and what was put aside before behind it; the oldest goes. */
export async function shiftFiles(file: string, maxFiles: number): Promise<void> {
  if (maxFiles === 1) await rm(file, { force: true }).catch(() => undefined)
  for (let index = maxFiles - 1; index > 0; index--)
    await rename(numberedFile(file, index - 1), numberedFile(file, index)).catch(() => undefined)
}

export function createLogFile({ file, maxBytes, maxFiles }: LogFileOptions): LogFile {
  let writing: Promise<void> = Promise.resolve()
  let size: number | null = null
  const numbered = (index: number): string => numberedFile(file, index)

  async function write(text: string): Promise<void> {
    if (size === null) {
      await mkdir(dirname(file), { recursive: true, mode: 0o700 })
      size = await stat(file).then(
        (found) => found.size,
        () => 0,
      )
    }
    if (size > 0 && size + text.length > maxBytes) {
      await shiftFiles(file, maxFiles)
      size = 0
    }
    await appendFile(file, text, { mode: 0o600 })
    size += Buffer.byteLength(text)
  }

  function queue(step: () => Promise<void>): Promise<void> {
    writing = writing.then(step).catch(() => {
      size = null
    })
    return writing
  }

  return {
    append: (lines) => {
      const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('')
      void queue(() => write(text))
    },
    async *read() {
      await writing
      for (let index = 0; index < maxFiles; index++) {
        const text = await readFile(numbered(index), 'utf8').catch(() => null)
        if (text !== null) yield text.split('\n').filter((line) => line !== '')
      }
    },
    flush: () => writing,
    remove: () =>
      queue(async () => {
        for (let index = 0; index < maxFiles; index++) await rm(numbered(index), { force: true })
        size = null
      }),
  }
}
