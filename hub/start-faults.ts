import type { Fault } from './contract/index.ts'
import type { Given } from './config/read-settings.ts'
import { holderOf } from './endpoint.ts'
import { BrokenFile, EXIT_CONFIG, EXIT_NO_PERMISSION, EXIT_PORT_IN_USE } from './faults.ts'
import { HubError } from './hub-error.ts'

/** What ends a start besides a broken file, and the code that it ends with. `mcp-hub doctor` looks for the same beforehand. */
export interface StartFault {
  fault: Fault
  exitCode: number
}

const LOOPBACK = ['127.0.0.1', '::1', 'localhost']

/** One of several hubs, without what they share. */
export function missingDatabase(given: Given): StartFault | null {
  if (!given.has('MCP_HUB_SHARED') || given.has('DATABASE_URL')) return null
  return faultOf(
    'environment DATABASE_URL',
    'is not set, and this is one of several hubs: with files each would have a configuration of its own',
    'Set DATABASE_URL (or DATABASE_URL_FILE) to the PostgreSQL that the hubs share, such as postgres://user:password@host:5432/database; for one hub alone, publish with one instance.',
  )
}

/** MCP without a token where others than this computer can reach it. */
export function openBeyondLoopback(mcpAuth: 'token' | 'none', host: string, file: string): StartFault | null {
  if (mcpAuth === 'token' || LOOPBACK.includes(host)) return null
  const message = `"none" is for loopback only, but the hub listens on ${host}`
  return faultOf('auth.mcp', message, 'Set auth.mcp to "token".', { file })
}

/** A port that the system refused with `error`. */
export async function refusedPort(error: unknown, port: number): Promise<StartFault> {
  const { code = '', message } = error as NodeJS.ErrnoException
  const holder = code === 'EADDRINUSE' ? await holderOf(port) : null
  const exits: Record<string, number> = { EADDRINUSE: EXIT_PORT_IN_USE, EACCES: EXIT_NO_PERMISSION }
  return faultOf(
    'environment PORT',
    code === 'EADDRINUSE' ? `Port ${port} is in use${holder === null ? '' : ` by ${holder}`}` : message,
    'Set PORT to another port, or end the program that holds it; PORT=0 takes a free one.',
    { exitCode: exits[code] },
  )
}

/** What the system did not let the hub do with its folders; null when `error` tells of something else. */
export function refusedFolder(error: unknown): StartFault | null {
  const { code = '', path: file, message } = error as NodeJS.ErrnoException
  if (file === undefined) return null
  if (/^(?:EEXIST|ENOTDIR)$/.test(code))
    return faultOf('', 'There is a file where a folder is needed', 'Set CONFIG_DIR and DATA_DIR to folders.', { file })
  if (!/^(?:EACCES|EPERM|EROFS)$/.test(code)) return null
  return faultOf(
    '',
    `The hub’s user may not use it: ${message}`,
    'Let that user own the file and its folder, or set CONFIG_DIR and DATA_DIR to folders of its own.',
    { file, exitCode: EXIT_NO_PERMISSION },
  )
}

/** What of the hub's own files keeps it from starting; null when `error` tells of something else. */
export function brokenFiles(error: unknown): readonly Fault[] | null {
  if (error instanceof BrokenFile) return error.faults
  if (!(error instanceof HubError) || error.code !== 'HUB_CONFIG_FILE_BROKEN') return null
  return error.faults ?? [faultOf('', error.message, error.cure ?? '').fault]
}

function faultOf(
  path: string,
  message: string,
  cure: string,
  { file = null, exitCode = EXIT_CONFIG }: { file?: string | null; exitCode?: number | undefined } = {},
): StartFault {
  return { fault: { file, path, line: null, column: null, message, cure }, exitCode }
}
