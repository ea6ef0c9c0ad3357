import { renameSync } from 'node:fs'
import path from 'node:path'
import log from 'electron-log/main.js'
import type { Redactor } from '../hub/observe/redactor.ts'

const MAX_BYTES = 5 * 1_048_576
const KEPT_FILES = 5

let tellOfFault: (error: Error) => void = () => undefined

/** Hears of what nobody caught, besides the log. */
export function onAppFault(listener: (error: Error) => void): void {
  tellOfFault = listener
}

/** The app's log: a file with rotation (5 MB, five files), and the terminal. Only main writes files. */
export function openLog(folder: string): typeof log {
  log.transports.file.resolvePathFn = () => path.join(folder, 'main.log')
  log.transports.file.maxSize = MAX_BYTES
  log.transports.file.archiveLogFn = (old) => {
    const { dir } = path.parse(old.path)
    for (let index = KEPT_FILES - 1; index >= 1; index--) {
      const from = index === 1 ? old.path : path.join(dir, `main.${index - 1}.log`)
      renameQuietly(from, path.join(dir, `main.${index}.log`))
    }
  }
  log.transports.console.level = 'warn'
  log.errorHandler.startCatching({ showDialog: false, onError: ({ error }) => tellOfFault(error) })
  return log
}

/** From here on no secret that is known comes into the file. */
export function redactLog(redactor: Redactor): void {
  log.hooks.push((message) => ({
    ...message,
    data: message.data.map((item: unknown) =>
      item instanceof Error ? redactor.text(item.stack ?? item.message) : redactor.value(item),
    ),
  }))
}

function renameQuietly(from: string, to: string): void {
  try {
    renameSync(from, to)
  } catch {
    // A file that is not there yet needs no archive.
  }
}
